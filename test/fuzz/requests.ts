import { z } from "zod";
import { ANSWERS, problemDocument } from "../../src/protocol/sent-schema.ts";
import { RawConnection, responsesOf, type RawResponse } from "../conformance/raw.ts";
import type { TestCredentials } from "../support/credentials.ts";
import { parseFrame } from "../support/frames.ts";
import { HttpConnection } from "../support/http-connection.ts";
import { ResponseReader } from "../support/http-response.ts";
import { ENGINES, startGuardedServer, startTestServer, type TestServer } from "../support/server.ts";
import type { Target, World } from "./fuzz.ts";
import { requestInputs, TOPIC, type RequestInput } from "./request-inputs.ts";

const ENV = { TOPICS: `t,${TOPIC}`, MAX_MESSAGE_BYTES: "100000", MAX_TOPICS: "50" };

/** Sent behind each request. It ends the connection. */
const LAST = "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
const ALIVE = '{"status":"ok"}';

/** How long a connection may be quiet before its request counts as one that waits for more, in milliseconds. */
const QUIET_MS = 40;
const PATIENCE_MS = 10_000;

/** An HTTP server; each request has a connection of its own. */
class RequestWorld implements World<RequestInput> {
  readonly #server: TestServer;
  readonly #probe: HttpConnection;
  /** Whether a request is sent before the one ahead of it is answered. Bun closes such a connection if that takes a turn. */
  readonly #pipelines: boolean;

  private constructor(server: TestServer, probe: HttpConnection, pipelines: boolean) {
    this.#server = server;
    this.#probe = probe;
    this.#pipelines = pipelines;
  }

  static async open(server: TestServer, pipelines = true): Promise<RequestWorld> {
    return new RequestWorld(server, await HttpConnection.open(server.port), pipelines);
  }

  async run(inputs: readonly RequestInput[]): Promise<string[]> {
    const outcomes = await Promise.all(inputs.map((input) => this.#outcome(input)));
    const alive = await this.#probe.ask("GET", "/livez");
    if (alive?.body !== ALIVE) throw new Error(`/livez is answered ${JSON.stringify(alive)}`);
    const [line] = this.#server.lines;
    if (line !== undefined) throw new Error(`The log says ${line}`);
    return outcomes;
  }

  async #outcome(input: RequestInput): Promise<string> {
    await using connection = new RawConnection(this.#server);
    connection.write(this.#pipelines ? Buffer.concat([input.bytes, Buffer.from(LAST)]) : input.bytes);
    if (!this.#pipelines) {
      const answered = connection.readUntil((received) => received.includes("\r\n\r\n"));
      await Promise.race([answered.catch(() => {}), Bun.sleep(input.whole ? PATIENCE_MS : QUIET_MS)]);
      connection.write(LAST);
    }
    const { responses, streams, closed } = await answersTo(input, connection);
    for (const response of responses) check(input, response);
    const [first] = responses;
    const last = responses.at(-1);
    // What the parser refuses has no body, and a stream ends the connection; else the last one must be served.
    const refused = last !== undefined && last.status >= 400 && last.body === "" && closed;
    const served = last?.body === ALIVE && responses.length === 2;
    const mayBeRefused = refused && (input.kind === "path" || input.kind === "query");
    if (input.whole && !served && !mayBeRefused && streams === undefined) {
      throw new Error(`${responses.map(({ status }) => status)} in place of two answers: ${input.shown}`);
    }
    if (streams !== undefined) return streams;
    return first === undefined
      ? closed
        ? "closed"
        : "waits for more"
      : `${first.status}${refused ? ", then refused" : ""}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#probe.cut();
    await this.#server.stop();
  }
}

/** `streams` says what the connection has become, after the responses. */
type Answers = { responses: RawResponse[]; streams: "stream" | "WebSocket" | undefined; closed: boolean };

/** Reads until the server closes, or has been quiet for so long that it waits for more. */
async function answersTo({ method, shown, whole }: RequestInput, connection: RawConnection): Promise<Answers> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const before = (await connection.readUntil(() => true).catch(() => Buffer.alloc(0))).length;
    const closed = await Promise.race([connection.readToEnd().then(() => true), Bun.sleep(QUIET_MS).then(() => false)]);
    const bytes = closed ? await connection.readToEnd() : await connection.readUntil(() => true);
    const left = takenOver(bytes);
    const isDue = whole && left === undefined && performance.now() < end;
    if (!closed && (bytes.length > before || isDue)) continue;
    try {
      checkStream(bytes.subarray(left));
      const stream = bytes.includes("text/event-stream") ? "stream" : "WebSocket";
      const responses = responsesOf(bytes.subarray(0, left), [method, "GET"]);
      return { responses, streams: left === undefined ? undefined : stream, closed };
    } catch (cause) {
      throw new Error(`${cause instanceof Error ? cause.message : cause} answers ${shown}`);
    }
  }
}

/** Where a response begins that has no end: an event stream, or a WebSocket. */
function takenOver(bytes: Buffer): number | undefined {
  const stream = bytes.indexOf("text/event-stream");
  const start = stream < 0 ? bytes.indexOf("HTTP/1.1 101 ") : bytes.lastIndexOf("HTTP/1.1 200 OK\r\n", stream);
  return start < 0 ? undefined : start;
}

/** Checks all that an event stream has sent as a whole. */
function checkStream(bytes: Buffer): void {
  if (!bytes.includes("text/event-stream")) return;
  let text = "";
  new ResponseReader((part) => (text += part.toString("latin1"))).push(bytes);
  const events = Buffer.from(text, "latin1").toString().split("\n\n").slice(0, -1);
  for (const event of events) {
    const data = event.split("\n").filter((line) => line.startsWith("data: "));
    if (data.length > 0) parseFrame(data.map((line) => line.slice(6)).join("\n"));
  }
}

/** What Bun answers by itself, without a body: its parser, and to a version of WebSocket that it does not speak 426. */
const OF_BUN = [400, 405, 413, 414, 417, 426, 431, 501, 505];

const routes = Object.entries(ANSWERS).map(([route, schema]) => {
  const [method = "", pattern = ""] = route.split(" ");
  return {
    method,
    path: new RegExp(`^${pattern.replace(":name", "[^/]+")}$`),
    schema: z.compile(schema, { strict: true }),
  };
});

function check({ method, path, shown }: RequestInput, { status, headers, body }: RawResponse): void {
  const wrong = (what: string) => new Error(`${status} ${body.slice(0, 1000)}: ${what}, and answers ${shown}`);
  const type = headers.get("content-type") ?? "";
  if (status >= 500 && !OF_BUN.includes(status)) throw wrong("a fault of the server");
  if (body === "") {
    if (status >= 400 && !OF_BUN.includes(status) && method !== "HEAD") throw wrong("no problem document");
    return;
  }
  if (type === "application/problem+json") {
    if (problemDocument.parse(JSON.parse(body)).status !== status) throw wrong("not its own status");
    return;
  }
  if (status >= 400) throw wrong("no problem document");
  if (!type.startsWith("application/json")) return;
  const document: unknown = JSON.parse(body);
  const possible =
    body === ALIVE
      ? routes
      : routes.filter((one) => path === undefined || (one.method === method && one.path.test(path)));
  if (!possible.some(({ schema }) => schema.safeParse(document).success)) throw wrong("not as ANSWERS has it");
}

/** Requests to a server that is open, guarded, or behind a proxy with an engine that answers late. */
export function requestsTarget(credentials: TestCredentials): Target<RequestInput> {
  const { all, some } = credentials.keys;
  return {
    name: "requests",
    variants: ["open", "guarded", "late"],
    open: async (variant) => {
      if (variant === "open") return RequestWorld.open(startTestServer(ENV));
      if (variant === "guarded") return RequestWorld.open(await startGuardedServer({ ...ENV, ...credentials.env }));
      const env = { ...ENV, ALLOWED_ORIGINS: "*", TRUSTED_PROXIES: "127.0.0.1", AUTO_CREATE_TOPICS: "true" };
      return RequestWorld.open(startTestServer(env, ENGINES["that answers late"]), false);
    },
    make: (random) => requestInputs(random, [all.key, all.key, all.key, some.key, ""]),
  };
}
