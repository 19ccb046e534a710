import type { ServerFrame } from "../protocol/frames.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { PubSubError } from "./errors.ts";

/** Where messages stand that were published, all of them in this order. */
export type Published = {
  topic: string;
  epoch: string;
  /** The number of the first, and of the last. */
  first_seq: number;
  seq: number;
  /** When they were published, ISO 8601 UTC. */
  ts: string;
  ids: readonly string[];
  /** Whether an earlier try had published them already. */
  duplicate: boolean;
};

export type OutboxLimits = {
  /** How many publishes may wait for their acks. */
  messages: number;
  /** How many characters all their frames may have together. */
  characters: number;
};

export type OutboxPorts = {
  send(text: string): void;
  /** How long to wait until what was answered `UNAVAILABLE` is sent again. */
  backoff: BackoffOptions | undefined;
  /** Gets the first `UNAVAILABLE` of each time that publishes wait for the server's engine. */
  failed(cause: unknown): void;
};

/** A publish to be sent: its frame, but for the beginning that every one has. */
export type Publish = { topic: string; ids: readonly string[]; rest: string; signal: AbortSignal | undefined };

type Entry = Publish & {
  resolve(published: Published): void;
  reject(cause: unknown): void;
  abort(): void;
};

/** Who waits until all publishes up to `last` are settled. */
type Flush = { last: number; resolve(): void };

/**
 * How many publishes are sent before the first of them is acked. After a lost connection these may have been published
 * already. The server knows that as long as history has them, so they must not be more than history holds.
 */
const MOST_UNDER_WAY = 64;

/**
 * Publishes that wait for their acks, in order. They are sent when there is a connection, and again on the next one if
 * it was lost before the ack.
 *
 * Those that are answered `UNAVAILABLE` are sent again, too. Others of the same time may have been published, and then
 * come before them. So from the first such answer on nothing is sent until all under way are answered. After a while the
 * oldest is sent, alone, and once it is acked all others in their order.
 */
export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #ports: OutboxPorts;
  readonly #backoff: Backoff;
  readonly #entries = new Map<number, Entry>();
  /** Those that were sent on this connection and are not acked. */
  readonly #underWay = new Set<number>();
  #flushes: Flush[] = [];
  #characters = 0;
  #made = 0;
  #isOpen = false;
  /** Whether nothing is sent now, because one was answered `UNAVAILABLE`. */
  #isHeld = false;
  /** Goes on with sending; undefined while it is not known when that may be. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether none was acked since then. The next is sent alone. */
  #isDoubtful = false;

  constructor(limits: OutboxLimits, ports: OutboxPorts) {
    this.#limits = limits;
    this.#ports = ports;
    this.#backoff = new Backoff(ports.backoff);
  }

  /** How many publishes wait for their acks. */
  get size(): number {
    return this.#entries.size;
  }

  /** Rejects with `QUEUE_FULL`, the reason of the signal, or what the server answers. */
  publish(publish: Publish): Promise<Published> {
    const { rest, signal } = publish;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const { messages, characters } = this.#limits;
    if (this.#entries.size >= messages || this.#characters + rest.length > characters) {
      const waiting = `${this.#entries.size} publishes of ${this.#characters} characters wait for their acks`;
      return Promise.reject(new PubSubError("QUEUE_FULL", `${waiting}; the most are ${messages} of ${characters}`));
    }
    const id = ++this.#made;
    const abort = () => this.#settle(id, ({ reject }) => reject(signal?.reason));
    signal?.addEventListener("abort", abort);
    return new Promise((resolve, reject) => {
      const entry = { ...publish, resolve, reject, abort };
      this.#entries.set(id, entry);
      this.#characters += rest.length;
      this.#sendMore();
    });
  }

  /** Sends everything that waits, on a new connection. */
  opened(): void {
    this.#isOpen = true;
    this.#underWay.clear();
    this.#sendMore();
  }

  /** @param tooLarge whether the server closed the connection because a frame was too large for it */
  lost(tooLarge: boolean): void {
    this.#isOpen = false;
    this.#release();
    if (!tooLarge) return;
    // Frames are refused for their size alone, so the largest was too large.
    const sent = [...this.#entries].filter(([id]) => this.#underWay.has(id));
    const [largest] = sent.sort(([, a], [, b]) => b.rest.length - a.rest.length);
    if (largest === undefined) return;
    const [id, { rest }] = largest;
    const problem = `A frame of ${rest.length} characters is larger than MAX_MESSAGE_BYTES of the server`;
    this.#settle(id, (entry) => entry.reject(new PubSubError("TOO_LARGE", problem)));
  }

  /** Whether the frame answers a publish, which is settled by it. */
  answered(frame: ServerFrame): boolean {
    const id = "request_id" in frame ? frame.request_id : undefined;
    if (typeof id !== "number") return false;
    if (frame.type === "error") {
      const problem = new PubSubError(frame.error.code, frame.error.message);
      if (problem.code === "UNAVAILABLE") this.#hold(id, problem);
      // Nothing was published, and the connection is about to end. The next one has it sent again.
      else if (problem.code !== "SHUTTING_DOWN") this.#settle(id, ({ reject }) => reject(problem));
      return true;
    }
    if (frame.type !== "ack" || !("epoch" in frame)) return true;
    const { epoch, seq, ts } = frame;
    const first_seq = "first_seq" in frame ? (frame.first_seq ?? seq) : seq;
    const duplicate = "duplicate" in frame && frame.duplicate === true;
    if (!this.#isHeld) {
      this.#isDoubtful = false;
      this.#backoff.reset();
    }
    this.#settle(id, ({ topic, ids, resolve }) => resolve({ topic, epoch, first_seq, seq, ts, ids, duplicate }));
    return true;
  }

  /** Resolves once everything that waits now is settled. */
  flushed(): Promise<void> {
    const last = this.#made;
    return new Promise((resolve) => {
      this.#flushes.push({ last, resolve });
      this.#noteFlushed();
    });
  }

  close(cause: PubSubError): void {
    this.#isOpen = false;
    for (const id of [...this.#entries.keys()]) this.#settle(id, ({ reject }) => reject(cause));
    this.#release();
  }

  /** Sends what waits, the oldest first, as far as it may. */
  #sendMore(): void {
    if (!this.#isOpen || this.#isHeld) return;
    const most = this.#isDoubtful ? 1 : MOST_UNDER_WAY;
    for (const [id, { rest }] of this.#entries) {
      if (this.#underWay.size >= most) return;
      if (this.#underWay.has(id)) continue;
      this.#underWay.add(id);
      this.#ports.send(`{"type":"publish","request_id":${id},"dedupe":true,${rest}`);
    }
  }

  /** One was answered `UNAVAILABLE`. It may have been published all the same. */
  #hold(id: number, problem: PubSubError): void {
    if (!this.#underWay.delete(id)) return;
    const isNews = !this.#isDoubtful;
    this.#isHeld = true;
    this.#isDoubtful = true;
    this.#releaseLater();
    if (isNews) this.#ports.failed(problem);
  }

  /** Goes on after a while, once all under way are answered. */
  #releaseLater(): void {
    if (!this.#isHeld || this.#underWay.size > 0) return;
    this.#timer ??= setTimeout(() => {
      this.#release();
      this.#sendMore();
    }, this.#backoff.next());
  }

  #release(): void {
    this.#isHeld = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #settle(id: number, how: (entry: Entry) => void): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#underWay.delete(id);
    this.#characters -= entry.rest.length;
    entry.signal?.removeEventListener("abort", entry.abort);
    how(entry);
    this.#releaseLater();
    this.#sendMore();
    this.#noteFlushed();
  }

  #noteFlushed(): void {
    if (this.#flushes.length === 0) return;
    const [oldest = Number.POSITIVE_INFINITY] = this.#entries.keys();
    const isDone = ({ last }: Flush) => last < oldest;
    for (const { resolve } of this.#flushes.filter(isDone)) resolve();
    this.#flushes = this.#flushes.filter((flush) => !isDone(flush));
  }
}
