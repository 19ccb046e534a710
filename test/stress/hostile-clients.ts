/** Many clients that behave as badly as they can, in a process of its own. How often they act is bounded. */
import type { Socket } from "bun";
import { z } from "zod";
import { given, say, untilToldToEnd } from "../support/helper-process.ts";
import { HttpConnection } from "../support/http-connection.ts";
import { Random } from "../support/random.ts";
import { hostileKinds, type Kind } from "./hostile-kinds.ts";

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
/** How often one that is flat out sends in a turn, if the kernel takes everything. */
const SENDS = 8;

const random = new Random(seed);
/** What becomes of them. */
const tally = { connected: 0, reset: 0, closed: 0, refused: 0, fed: 0 };

class Hostile {
  readonly #kind: Kind;
  readonly #index: number;
  #socket: Socket | undefined;
  #connecting = false;
  #unsent: Buffer = Buffer.alloc(0);
  #step = 0;

  constructor(kind: Kind, index: number) {
    this.#kind = kind;
    this.#index = index;
  }

  act(): void {
    if (this.#connecting) return;
    if (this.#socket === undefined) return void this.#connect();
    if (this.#unsent.length > 0 && this.#kind.hangsUp !== true) return this.#send("");
    if (this.#kind.flatOut === true) return this.#pump();
    const more = random.chance(RESETS) || this.#unsent.length > 0 ? undefined : this.#more();
    if (more !== undefined) return this.#send(more);
    tally.reset++;
    const socket = this.#socket;
    this.#socket = undefined;
    socket.terminate();
  }

  #more(): string | Buffer | undefined {
    return this.#kind.then === undefined ? "" : this.#kind.then(this.#step++);
  }

  /** Sends as much as the kernel takes; the rest when it has room. */
  #pump(): void {
    this.#send("");
    for (let i = 0; i < SENDS && this.#unsent.length === 0 && this.#socket !== undefined; i++) {
      this.#send(this.#more() ?? "");
    }
  }

  async #connect(): Promise<void> {
    this.#connecting = true;
    try {
      const socket: Socket = await Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          data() {},
          drain: () => {
            if (this.#kind.flatOut === true) this.#pump();
            else this.#send("");
          },
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
      this.#step = 0;
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

const known = hostileKinds(topics, random);
const kinds = (only ?? Object.keys(known)).map((name) => {
  const kind = known[name];
  if (kind === undefined) throw new RangeError(`There is no kind ${name}: ${Object.keys(known).join(", ")}`);
  return kind;
});
/** As many of each kind, unless there may be only a few of it. */
function kindOf(index: number): Kind | undefined {
  const kind = kinds[index % kinds.length];
  return Math.floor(index / kinds.length) < (kind?.most ?? Number.POSITIVE_INFINITY) ? kind : undefined;
}
const all = Array.from({ length: count }, (_, i) => {
  const kind = kindOf(i);
  return kind === undefined ? [] : [new Hostile(kind, i)];
}).flat();
let next = 0;
setInterval(() => {
  for (let i = 0; i < (rate * TICK_MS) / 1000; i++) all[next++ % all.length]?.act();
}, TICK_MS);
void feed();
await untilToldToEnd();
say(tally);
process.exit(0);
