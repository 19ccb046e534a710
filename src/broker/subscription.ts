import { slowConsumer } from "../protocol/encode.ts";
import type { Overflow } from "../protocol/frames.ts";
import type { HeldReplay, HistoryMemory } from "./history-memory.ts";
import type { BrokerMetrics, BrokerObserver, Outlet } from "./ports.ts";
import type { TopicLog } from "./topic-log.ts";

/** What a subscription reads: a topic, most of whose subscribers stand at the same place, the pack's. */
export interface Feed {
  readonly name: string;
  readonly log: TopicLog;
  /** The `seq` up to which everything was sent to the pack. */
  readonly flushed: number;
  /** Whether it is no topic any more: what was published before it was deleted is still to be sent. */
  readonly deleted: boolean;
  inPack(subscription: Subscription): boolean;
  /** Takes it out of the pack, if it is in it. */
  setApart(subscription: Subscription): void;
  remove(subscription: Subscription): void;
}

/** How a subscriber wants to be treated when it is slow. */
export type Queue = {
  /** How many events may wait for it. */
  limit: number;
  overflow: Overflow;
};

/** What all subscriptions of a broker share. */
export type Shared = {
  readonly memory: HistoryMemory;
  readonly metrics: BrokerMetrics;
  readonly observer: BrokerObserver;
};

/** The connection that holds a subscription. */
export interface Holder {
  readonly outlet: Outlet;
  readonly subscriptions: readonly Subscription[];
  /** Puts `subscription` in line for the next fill; true if it is the first in line. */
  enqueue(subscription: Subscription): boolean;
  /** Sends what is in line, as far as the outlet takes it. */
  fill(): void;
  /** Sends what `subscription` waits for at once, as far as the outlet takes it. */
  send(subscription: Subscription): void;
  /** Ends `subscription`: it is sent what the outlet takes at once, then told what it was not sent. */
  finish(subscription: Subscription): void;
}

/**
 * A subscriber's queue: no events, only a cursor, the `seq` that it was last sent.
 *
 * What lies between the cursor and the newest event is queued. While its connection is blocked the queue is bounded:
 * beyond its limit the oldest fall out, and the gap that this leaves is reported, once and exactly, where it is.
 * Events that were asked for as replay do not count, and are sent in full.
 *
 * | a publish            | costs it nothing |
 * | a stalled subscriber | costs two numbers, and the events of a replay while that is being sent |
 */
export class Subscription {
  readonly feed: Feed;
  readonly clientId: string;
  readonly holder: Holder;
  /** Whether the holder has it in line for the next fill. */
  enqueued = false;
  /** May change while it lasts. */
  queue: Queue;
  readonly #shared: Shared;
  /** The `seq` up to which everything was sent or reported, while it is not in the pack. */
  #cursor: number;
  #dropped = 0;
  /** Whether its queue was full since it was last caught up. */
  #behind = false;
  #replayEnd = 0;
  #dropEnd = 0;
  #held: HeldReplay | undefined;

  /** Starts with the events that are published from now on. */
  constructor(feed: Feed, clientId: string, holder: Holder, queue: Queue, shared: Shared) {
    this.feed = feed;
    this.clientId = clientId;
    this.holder = holder;
    this.queue = queue;
    this.#shared = shared;
    this.#cursor = feed.log.newest;
  }

  get topic(): string {
    return this.feed.name;
  }

  get outlet(): Outlet {
    return this.holder.outlet;
  }

  /** Whether it is the only one of its holder. */
  get sole(): boolean {
    return this.holder.subscriptions.length === 1;
  }

  /** The `seq` up to which everything was sent or reported. */
  get position(): number {
    return this.feed.inPack(this) ? this.feed.flushed : this.#cursor;
  }

  /** Whether anything is left to send or to report. */
  get pending(): boolean {
    return this.position < this.feed.log.newest;
  }

  /** Leaves the pack, having been sent everything up to `seq`. */
  standAt(seq: number): void {
    this.#cursor = seq;
    this.feed.setApart(this);
  }

  /** How many events wait to be sent, and how many it was or will be told that it lost. */
  figures(): { queued: number; dropped: number } {
    const { position } = this;
    const { newest, oldest } = this.feed.log;
    const dropEnd = this.outlet.blocked ? this.#settled : this.#dropEnd;
    const replayed = Math.max(0, this.#replayEnd - this.#goneUntil(position));
    const live = newest - Math.max(position, this.#replayEnd, dropEnd, oldest - 1);
    const queued = replayed + live;
    return { queued, dropped: this.#dropped + (newest - position - queued) };
  }

  /**
   * Asks for the events after `start`, once more where they were sent before. Returns how many there are.
   *
   * What waits is sent first, or stays queued where the outlet is blocked. What this leaves out all the same, of an
   * earlier replay or a gap, is reported right away.
   */
  replay(start: number): number {
    const { log } = this.feed;
    const { outlet } = this;
    this.holder.send(this);
    this.standAt(this.position);
    // One that is to be disconnected, which the next flush will do, is not saved by asking again.
    if (start >= log.newest || (outlet.blocked && this.tooSlow)) return 0;
    if (outlet.blocked) this.settle();
    const from = Math.min(start, Math.max(this.#cursor, this.#replayEnd, this.#dropEnd));
    if (from > this.#cursor) this.#report(from);
    this.#release();
    this.#cursor = from;
    this.#replayEnd = log.newest;
    if (outlet.blocked) this.hold();
    return log.newest - from;
  }

  /** To be called while its connection is blocked: tells once that its queue is full. */
  noteOverflow(): void {
    if (this.#behind || !this.#overflows) return;
    this.#behind = true;
    this.#shared.observer.fellBehind(this);
  }

  /**
   * Whether, its connection being blocked, it is to be disconnected, as it asked for in place of a gap: more is queued
   * than may be, or some of it is gone already for want of memory.
   */
  get tooSlow(): boolean {
    if (this.queue.overflow !== "disconnect") return false;
    return this.#overflows || this.#goneUntil(this.position) > this.position;
  }

  /**
   * Lets the oldest queued events beyond the limit go, or all but the newest where only that is wanted. To be called
   * when a connection that was blocked is no more.
   */
  settle(): void {
    this.standAt(this.position);
    this.#dropEnd = this.#settled;
  }

  /** Sends until about `budget` code units went out, the outlet blocks, or nothing is left. Returns the budget left. */
  write(budget: number): number {
    const { outlet } = this;
    const { log } = this.feed;
    let left = budget;
    this.standAt(this.position);
    while (left > 0 && !outlet.blocked && this.#cursor < log.newest) {
      const gone = this.#goneUntil(this.#cursor);
      if (gone > this.#cursor) {
        this.#report(gone);
        continue;
      }
      const seq = this.#cursor + 1;
      const text = this.#held === undefined ? log.at(seq) : this.#heldAt(this.#held, seq);
      this.#cursor = seq;
      outlet.event(text, seq);
      this.#shared.metrics.delivered(1);
      left -= text.length;
    }
    if (this.#cursor >= this.#replayEnd) this.#release();
    if (this.#behind && this.#cursor === log.newest) {
      this.#behind = false;
      this.#shared.observer.caughtUp(this, this.#dropped);
    }
    return left;
  }

  /** Keeps what is left of the replay from being overwritten until it was sent. */
  hold(): void {
    const first = Math.max(this.#cursor + 1, this.feed.log.oldest);
    if (this.#held !== undefined || first > this.#replayEnd) return;
    this.#held = this.#shared.memory.hold(this.feed.log, first, this.#replayEnd);
  }

  /** Reports all that was not sent as one gap; nothing is sent after it. */
  abandon(): void {
    this.standAt(this.position);
    if (this.pending) this.#report(this.feed.log.newest);
    this.#release();
  }

  /** Lets go of everything, without a word. */
  discard(): void {
    this.#cursor = this.feed.log.newest;
    this.#release();
  }

  /** The `seq` up to which queued events are let go of, once the connection takes more. */
  get #settled(): number {
    if (!this.#overflows || this.queue.overflow === "disconnect") return this.#dropEnd;
    const kept = this.queue.overflow === "latest" ? 1 : this.queue.limit;
    return Math.max(this.#dropEnd, this.feed.log.newest - kept);
  }

  /** Whether more is queued than may be. Replay does not count. */
  get #overflows(): boolean {
    return this.feed.log.newest - Math.max(this.position, this.#replayEnd) > this.queue.limit;
  }

  /** Tells of the gap after the cursor, up to `last`, and moves past it. */
  #report(last: number): void {
    // Who wants the latest only has asked for the gaps: the jump in seq tells of them.
    if (this.queue.overflow !== "latest") this.outlet.notice(slowConsumer(this.feed.name, this.#cursor + 1, last));
    this.#dropped += last - this.#cursor;
    this.#shared.metrics.dropped(last - this.#cursor);
    this.#cursor = last;
  }

  /** The `seq` up to which the events after `position` cannot be sent any more; `position` where the very next one can. */
  #goneUntil(position: number): number {
    if (this.#held !== undefined && position < this.#replayEnd) return Math.max(position, this.#held.first - 1);
    const gone = Math.max(position, this.feed.log.oldest - 1);
    return gone >= this.#replayEnd ? Math.max(gone, this.#dropEnd) : gone;
  }

  #heldAt(held: HeldReplay, seq: number): string {
    return held.texts[seq - held.first] ?? this.feed.log.at(seq);
  }

  #release(): void {
    if (this.#held !== undefined) this.#shared.memory.release(this.#held);
    this.#held = undefined;
  }
}
