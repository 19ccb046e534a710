/** Many clients that behave as badly as they can, in a process of its own. How often they act is bounded. */
import type { Socket } from "bun";
import { z } from "zod";
import { ID } from "../support/client.ts";
import { given, say, untilToldToEnd } from "../support/helper-process.ts";
import { HttpConnection } from "../support/http-connection.ts";
import { Random } from "../support/random.ts";
import { encodeClientFrame, UPGRADE } from "../support/websocket-frames.ts";
import { streamRequest } from "../support/sse-client.ts";

const { port, count, rate, seed, topics, only } = given(
  z.object({
    port: z.int(),
    count: z.int(),
    rate: z.int(),
    seed: z.int(),
    topics: z.object({ feed: z.string(), history: z.string(), spam: z.string() }),
    /** Which kinds there are; all where it is not given. */
    only: z.array(z.string()).optional(),
  }),
);

const TICK_MS = 10;
const FEED_MS = 50;
const FEED_BYTES = 20_000;
/** How often one resets its connection in place of what else it would do. */
const RESETS = 0.03;

const random = new Random(seed);
const frame = (content: object) => encodeClientFrame(JSON.stringify(content));
const publishFrame = frame({ type: "publish", topic: topics.spam, message: { id: ID, payload: "x".repeat(1000) } });
const spam = Buffer.concat(Array<Buffer>(20).fill(publishFrame));
const historyRequest = `GET /topics/${encodeURIComponent(topics.history)}/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
const GARBAGE = [
  encodeClientFrame("no JSON ".repeat(30)),
  frame({ type: "nothing of the sort", topic: {} }),
  frame({ type: "subscribe", topic: "not there", client_id: "x" }),
  encodeClientFrame(Buffer.alloc(500, 1), 2),
  // Neither masked nor of an opcode that there is.
  Buffer.from([0x8b, 0x7f, 1, 2, 3]),
];

/** What it sends first, and each time after that; none reads what it does not have to. */
type Kind = { hello: (index: number) => string | Buffer; then?: () => string | Buffer | undefined; reads?: boolean };

const KINDS: Record<string, Kind> = {
  silent: { hello: () => "" },
  "half a handshake": { hello: () => UPGRADE.slice(0, 60) },
  "deaf socket": {
    hello: (i) => {
      const subscribe = frame({ type: "subscribe", topic: topics.feed, client_id: `deaf ${i}` });
      return Buffer.concat([Buffer.from(UPGRADE), subscribe]);
    },
  },
  "deaf stream": { hello: () => streamRequest({ topic: topics.feed }) },
  garbage: {
    hello: () => UPGRADE,
    then: () => Buffer.concat(Array.from({ length: 20 }, () => random.pick(GARBAGE))),
    reads: true,
  },
  history: { hello: () => historyRequest, then: () => historyRequest },
  mute: { hello: () => UPGRADE, then: () => spam },
  resetting: { hello: () => UPGRADE, then: () => undefined },
};

const tally = { connected: 0, reset: 0, closed: 0, refused: 0, fed: 0 };

class Hostile {
  readonly #kind: Kind;
  readonly #index: number;
  #socket: Socket | undefined;
  #connecting = false;
  #unsent: Buffer = Buffer.alloc(0);

  constructor(kind: Kind, index: number) {
    this.#kind = kind;
    this.#index = index;
  }

  act(): void {
    if (this.#connecting) return;
    if (this.#socket === undefined) return void this.#connect();
    if (this.#unsent.length > 0) return this.#send("");
    const more = random.chance(RESETS) ? undefined : this.#kind.then === undefined ? "" : this.#kind.then();
    if (more !== undefined) return this.#send(more);
    tally.reset++;
    const socket = this.#socket;
    this.#socket = undefined;
    socket.terminate();
  }

  async #connect(): Promise<void> {
    this.#connecting = true;
    try {
      const socket: Socket = await Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          data() {},
          open: (opened) => {
            if (this.#kind.reads !== true) opened.pause();
          },
          close: () => {
            if (this.#socket !== socket) return;
            tally.closed++;
            this.#socket = undefined;
          },
        },
      });
      tally.connected++;
      this.#unsent = Buffer.alloc(0);
      this.#socket = socket;
      this.#send(this.#kind.hello(this.#index));
    } catch {
      tally.refused++;
    }
    this.#connecting = false;
  }

  #send(bytes: string | Buffer): void {
    const all = Buffer.concat([this.#unsent, Buffer.from(bytes)]);
    if (all.length === 0) return;
    this.#unsent = all.subarray(Math.max(0, this.#socket?.write(all) ?? 0));
  }
}

/** What those are sent who do not read. */
async function feed(): Promise<never> {
  const body = JSON.stringify({ payload: "x".repeat(FEED_BYTES) });
  const path = `/topics/${encodeURIComponent(topics.feed)}/messages`;
  let connection: HttpConnection | undefined;
  while (true) {
    try {
      connection ??= await HttpConnection.open(port);
      if ((await connection.ask("POST", path, body))?.status === 200) tally.fed++;
      if (connection.over) connection = undefined;
    } catch {
      connection = undefined;
    }
    await Bun.sleep(FEED_MS);
  }
}

const kinds = (only ?? Object.keys(KINDS)).map((name) => {
  const kind = KINDS[name];
  if (kind === undefined) throw new RangeError(`There is no kind ${name}: ${Object.keys(KINDS).join(", ")}`);
  return kind;
});
const all = Array.from({ length: count }, (_, i) => new Hostile(kinds[i % kinds.length] ?? random.pick(kinds), i));
let next = 0;
setInterval(() => {
  for (let i = 0; i < (rate * TICK_MS) / 1000; i++) all[next++ % all.length]?.act();
}, TICK_MS);
void feed();
await untilToldToEnd();
say(tally);
process.exit(0);
