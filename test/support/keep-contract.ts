/**
 * Preloaded by bunfig.toml: everything that `fetch` and `WebSocket` receive of a server of ours is checked against the schemas of
 * `src/protocol/schema.ts`, and what is not as they have it fails the test.
 */
import { afterAll, afterEach } from "bun:test";
import { checkHead, isOurs, violations } from "./contract.ts";
import { parseFrame } from "./frames.ts";

const { fetch: plainFetch, WebSocket: PlainWebSocket } = globalThis;

/** Bodies up to this size are read at once; larger ones when the test reads them, which some do slowly on purpose. */
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
    // Whoever asked is told of a connection that breaks off.
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
  if (found.length > 0) throw new Error(`Not as src/protocol/schema.ts has it:\n${found.join("\n")}`);
}

afterEach(failIfViolated);
// What comes before the first test, or after the last.
afterAll(failIfViolated);
