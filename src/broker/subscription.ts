import { slowConsumer } from "../protocol/encode.ts";
import { Cursor, type Queue } from "./cursor.ts";
import type { HistoryBudget, PinnedReplay } from "./history-budget.ts";
import type { BrokerMetrics, BrokerObserver, Peer } from "./ports.ts";
import type { Topic } from "./topic.ts";

/** What all subscriptions of a broker share. */
export type Shared = {
  readonly budget: HistoryBudget;
  readonly metrics: BrokerMetrics;
  readonly observer: BrokerObserver;
};

/**
 * A subscriber's queue: no events, only a {@link Cursor} on the topic's log.
 *
 * Nearly every subscriber is caught up: it was sent everything up to `topic.flushed`, and its cursor is not touched. One
 * that is blocked, replaying, or shares its peer with other subscriptions is lagging, and is served by its cursor. While its
 * peer is blocked the queue is bounded: beyond its limit the oldest fall out, and the gap that this leaves is reported, once
 * and exactly, where it is.
 *
 * | a publish            | costs it nothing |
 * | a stalled subscriber | costs a few numbers, and the events of a replay while that is being sent |
 *
 * @typeParam Session whose it is
 */
export class Subscription<Session> {
  readonly topic: Topic;
  readonly clientId: string;
  readonly session: Session;
  readonly peer: Peer;
  /** How it is treated when it is slow; may change while it lasts. */
  queue: Queue;
  /** Whether its session has it in line. */
  enqueued = false;
  readonly #shared: Shared;
  readonly #cursor: Cursor;
  #caughtUp = false;
  /** Whether its queue was full since it was last caught up. */
  #fellBehind = false;
  #pinned: PinnedReplay | undefined;

  /** Starts with the events that are published from now on. */
  constructor(topic: Topic, clientId: string, session: Session, peer: Peer, queue: Queue, shared: Shared) {
    this.topic = topic;
    this.clientId = clientId;
    this.session = session;
    this.peer = peer;
    this.queue = queue;
    this.#shared = shared;
    this.#cursor = new Cursor(topic.log.newest);
  }

  get topicName(): string {
    return this.topic.name;
  }

  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  /** The `seq` up to which everything was sent or reported. */
  get position(): number {
    return this.#caughtUp ? this.topic.flushed : this.#cursor.sent;
  }

  /** Whether anything is left to send or to report. */
  get pending(): boolean {
    return this.position < this.topic.log.newest;
  }

  /** To be called where its position is `topic.flushed`: from now on it is, whatever is flushed. */
  catchUp(): void {
    this.#caughtUp = true;
  }

  /** Has it stand where it is by itself, or at `position`. */
  lag(position = this.position): void {
    this.#caughtUp = false;
    this.#cursor.moveTo(position);
  }

  /** How many events wait to be sent, and how many it was or will be told that it lost. */
  stats(): { queued: number; dropped: number } {
    if (this.#caughtUp) this.#cursor.moveTo(this.position);
    return this.#cursor.stats(this.topic.log, this.peer.blocked ? this.queue : undefined);
  }

  /**
   * Asks for the events after `start`, once more where they were sent before. Returns how many there are.
   *
   * To be called after what waits was sent, as far as the peer takes it. What this leaves out all the same, of an earlier
   * replay or a gap, is reported right away.
   */
  replay(start: number): number {
    const { log } = this.topic;
    const { blocked } = this.peer;
    this.lag();
    // One that is to be disconnected, which the next flush will do, is not saved by asking again.
    if (start >= log.newest || (blocked && this.tooSlow)) return 0;
    if (blocked) this.applyOverflow();
    const from = this.#cursor.replayStart(start);
    if (from > this.#cursor.sent) this.#report(from);
    this.#unpin();
    this.#cursor.replay(from, log.newest);
    if (blocked) this.pin();
    return log.newest - from;
  }

  /** To be called while its peer is blocked: tells once that its queue is full. */
  noteOverflow(): void {
    if (this.#fellBehind || !this.#overflows) return;
    this.#fellBehind = true;
    this.#shared.observer.fellBehind(this);
  }

  /**
   * Whether, its peer being blocked, it is to be disconnected, as it asked for in place of a gap: more is queued than may
   * be, or some of it is gone already for want of memory.
   */
  get tooSlow(): boolean {
    if (this.queue.overflow !== "disconnect") return false;
    return this.#overflows || this.#cursor.goneUntil(this.topic.log) > this.position;
  }

  /** To be called when its peer was blocked and is no more: what is queued beyond the limit falls out. */
  applyOverflow(): void {
    this.lag();
    this.#cursor.applyOverflow(this.topic.log.newest, this.queue);
  }

  /** Sends until about `budget` code units went out, the peer blocks, or nothing is left. Returns the budget left. */
  write(budget: number): number {
    const { peer } = this;
    const { log } = this.topic;
    let left = budget;
    this.lag();
    while (left > 0 && !peer.blocked && this.#cursor.sent < log.newest) {
      const gone = this.#cursor.goneUntil(log);
      if (gone > this.#cursor.sent) {
        this.#report(gone);
        continue;
      }
      const seq = this.#cursor.sent + 1;
      const text = this.#eventAt(seq);
      peer.event(text, seq);
      this.#cursor.moveTo(seq);
      this.#shared.metrics.delivered(1);
      left -= text.length;
    }
    if (this.#cursor.sent >= this.#cursor.replayEnd) this.#unpin();
    if (this.#fellBehind && this.#cursor.sent === log.newest) {
      this.#fellBehind = false;
      this.#shared.observer.caughtUp(this, this.#cursor.dropped);
    }
    return left;
  }

  /** Keeps what is left of the replay from being overwritten until it was sent. */
  pin(): void {
    const first = Math.max(this.position + 1, this.topic.log.oldest);
    if (this.#pinned !== undefined || first > this.#cursor.replayEnd) return;
    this.#pinned = this.#shared.budget.pin(this.topic.log, first, this.#cursor.replayEnd);
    if (this.#pinned !== undefined) this.#cursor.pin(first);
  }

  /** Lets go of everything. @param tell whether its client is told what it was not sent */
  end(tell: boolean): void {
    this.lag();
    if (tell && this.pending) this.#report(this.topic.log.newest);
    this.#cursor.moveTo(this.topic.log.newest);
    this.#unpin();
  }

  /** Whether more is queued than may be. Replay does not count. */
  get #overflows(): boolean {
    if (this.#caughtUp) this.#cursor.moveTo(this.position);
    return this.#cursor.overflows(this.topic.log.newest, this.queue.limit);
  }

  /** Tells of the gap after the cursor, up to `last`, and moves past it. */
  #report(last: number): void {
    const first = this.#cursor.sent + 1;
    // Who wants the latest only has asked for the gaps: the jump in seq tells of them.
    if (this.queue.overflow !== "latest") this.peer.notice(slowConsumer(this.topic.name, first, last));
    this.#cursor.lose(last);
    this.#shared.metrics.dropped(last - first + 1);
  }

  #eventAt(seq: number): string {
    return this.#pinned?.texts[seq - this.#pinned.first] ?? this.topic.log.at(seq);
  }

  #unpin(): void {
    if (this.#pinned === undefined) return;
    this.#shared.budget.unpin(this.#pinned);
    this.#pinned = undefined;
    this.#cursor.unpin();
  }
}
