import type { Overflow } from "../protocol/frames.ts";
import { PubSubError } from "./errors.ts";
import type { Gap, Item } from "./items.ts";

/**
 * Items that wait for their reader, in order. At most `most` of them are events. Beyond that it does what the server's
 * queue does: it drops the oldest and says which, keeps the latest only, or ends.
 */
export class Inbox<T> {
  readonly #queue: number;
  readonly #overflow: Overflow;
  readonly #items: Item<T>[] = [];
  #events = 0;
  #most: number;
  #over: { cause: PubSubError | undefined } | undefined;
  #arrived: (() => void) | undefined;

  constructor(most: number, overflow: Overflow) {
    this.#queue = most;
    this.#most = most;
    this.#overflow = overflow;
  }

  /** So many events come at once, as replay. They were asked for: as at the server, they do not count against the queue. */
  expectReplay(events: number): void {
    this.#most = Math.max(this.#most, this.#queue + events);
  }

  /** Returns false if the reader is too slow, and the overflow is `disconnect`. */
  push(item: Item<T>): boolean {
    if (this.#over !== undefined) return true;
    if (item.type === "gap") this.#addGap(this.#items.length, item);
    else {
      this.#items.push(item);
      this.#events++;
    }
    this.#arrived?.();
    if (this.#events <= this.#most) return true;
    if (this.#overflow === "disconnect") return false;
    const keep = this.#overflow === "latest" ? 1 : this.#most;
    while (this.#events > keep) this.#dropOldest();
    return true;
  }

  /** The next item, once there is one; undefined after the end. @throws {PubSubError} the cause of the end */
  async take(): Promise<Item<T> | undefined> {
    while (true) {
      const item = this.#items.shift();
      if (item !== undefined) {
        if (item.type === "event") this.#events--;
        return item;
      }
      if (this.#over?.cause !== undefined) throw this.#over.cause;
      if (this.#over !== undefined) return undefined;
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
  }

  /** Forgets what waits. */
  clear(): void {
    this.#items.length = 0;
    this.#events = 0;
  }

  /** Nothing more comes. What waits is still to be had. */
  end(cause: PubSubError | undefined): void {
    this.#over ??= { cause };
    this.#arrived?.();
  }

  #dropOldest(): void {
    const index = this.#items.findIndex(({ type }) => type === "event");
    const [event] = this.#items.splice(index, 1);
    if (event?.type !== "event") return;
    this.#events--;
    const { topic, epoch, seq } = event;
    const reason = this.#overflow === "latest" ? "skipped" : "queue";
    this.#addGap(index, { type: "gap", topic, epoch, first_seq: seq, last_seq: seq, reason, status: "missing" });
  }

  /** Adds a gap. It becomes one with the gaps that it touches, so that gaps are never many more than events. */
  #addGap(index: number, gap: Gap): void {
    const before = this.#items[index - 1];
    const after = this.#items[index];
    const first = isGap(before) && touch(before, gap) ? before : gap;
    const last = isGap(after) && touch(gap, after) ? after : gap;
    const start = first === gap ? index : index - 1;
    const count = (first === gap ? 0 : 1) + (last === gap ? 0 : 1);
    this.#items.splice(start, count, { ...gap, first_seq: first.first_seq, last_seq: last.last_seq });
  }
}

function isGap(item: Item | undefined): item is Gap {
  return item?.type === "gap";
}

/** Whether nothing is between two gaps. */
function touch(first: Gap, second: Gap): boolean {
  if (first.epoch !== second.epoch || first.last_seq === undefined || second.last_seq === undefined) return false;
  return first.last_seq + 1 === second.first_seq;
}
