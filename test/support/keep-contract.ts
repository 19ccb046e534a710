/**
 * Preloaded by bunfig.toml. Checks everything that `fetch` and `WebSocket` receive from our server against the schemas of
 * `src/protocol/sent-schema.ts`. A test during which something else came fails.
 */
import { afterAll, afterEach } from "bun:test";
import { checkHead, isOurs, violations } from "./contract.ts";
import { parseFrame } from "./frames.ts";

const { fetch: plainFetch, WebSocket: PlainWebSocket } = globalThis;

/** A larger body is checked when the test reads it, because some tests read slowly on purpose. */
const SMALL_BYTES = 16_384;

async function checkedFetch(...[input, init]: Parameters<typeof plainFetch>): Promise<Response> {
  const response = await plainFetch(input, init);
  const request = input instanceof Request ? input : undefined;
  const url = request?.url ?? String(input);
  const method = (init?.method ?? request?.method ?? "GET").toUpperCase();
  if (!isOurs(url) || method === "HEAD") return response;
  const { status, headers } = response;
  const checkBody = checkHead({ method, url, status, type: headers.get("content-type") });
  if (checkBody === undefined) return response;
  const length = Number(headers.get("content-length") ?? Number.NaN);
  if (length <= SMALL_BYTES) {
    // If the connection breaks off, the test is told by its own copy.
    const body = await response
      .clone()
      .text()
      .catch(() => undefined);
    if (body !== undefined) checkBody(body);
    return response;
  }
  const read = async () => {
    const body = await Response.prototype.text.call(response);
    checkBody(body);
    return body;
  };
  return Object.assign(response, { text: read, json: async () => JSON.parse(await read()) });
}

function check({ data }: MessageEvent): void {
  try {
    parseFrame(String(data));
  } catch {
    // It is noted.
  }
}

globalThis.fetch = Object.assign(checkedFetch, { preconnect: plainFetch.preconnect });
globalThis.WebSocket = new Proxy(PlainWebSocket, {
  construct: (target, args, newTarget) => {
    const socket: WebSocket = Reflect.construct(target, args, newTarget);
    if (isOurs(socket.url)) socket.addEventListener("message", check);
    return socket;
  },
});

function failIfViolated(): void {
  const found = violations.take();
  if (found.length > 0) throw new Error(`Not as src/protocol/sent-schema.ts has it:\n${found.join("\n")}`);
}

afterEach(failIfViolated);
// For what came outside any test.
afterAll(failIfViolated);
