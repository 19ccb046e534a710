import { slowConsumer } from "../protocol/encode.ts";
import type { Dropped, DropReason, Ledger } from "../protocol/ledger.ts";
import { Cursor, type Losses, type Queue } from "./cursor.ts";
import type { HistoryBudget, PinnedReplay } from "./history-budget.ts";
import { addDropped, totalOf } from "../protocol/ledger.ts";
import type { BrokerMetrics, BrokerObserver, Peer } from "./ports.ts";
import type { Topic } from "./topic.ts";

/** What all subscriptions of a broker share. */
export type Shared = {
  readonly budget: HistoryBudget;
  readonly metrics: BrokerMetrics;
  readonly observer: BrokerObserver;
};

/**
 * A subscriber's queue. It holds no events, only a {@link Cursor} on the topic's log.
 *
 * Most subscriptions are caught up: they were sent everything up to `topic.flushed`, and their cursor is not touched.
 * One that is blocked, replaying, or shares its peer with others is lagging, and is served by its cursor. While the
 * peer is blocked, the queue drops its oldest events beyond the limit. The gap is reported once, exactly, in its place.
 *
 * | a publish            | costs nothing before the flush |
 * | a stalled subscriber | costs a few numbers, and a pinned replay until that is sent |
 *
 * @typeParam Session the session that owns it
 */
export class Subscription<Session> {
  readonly topic: Topic;
  readonly clientId: string;
  readonly session: Session;
  readonly peer: Peer;
  /** How it is treated when it is slow. A repeated subscribe may change it. */
  queue: Queue;
  /** Whether it stands in line in its session. */
  enqueued = false;
  readonly #shared: Shared;
  readonly #cursor: Cursor;
  #caughtUp = false;
  /** How many events its peer was handed. */
  #delivered = 0;
  /** Whether its queue was full since it last caught up. */
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

  /** Everything up to this `seq` was sent, or reported as lost. */
  get position(): number {
    return this.#caughtUp ? this.topic.flushed : this.#cursor.sent;
  }

  /** Whether anything is left to send or to report. */
  get pending(): boolean {
    return this.position < this.topic.log.newest;
  }

  /** Call when its peer was handed `events`, and its position is `topic.flushed`, which it follows from then on. */
  catchUp(events: number): void {
    this.#caughtUp = true;
    this.#delivered += events;
  }

  /** Gives it a cursor of its own, at `position`. */
  lag(position = this.position): void {
    this.#caughtUp = false;
    this.#cursor.moveTo(position);
  }

  /**
   * Adds what became of the events that were to be sent to it. Returns how many of those dropped are not reported yet.
   * Allocates nothing if nothing is pending: there may be many to add up.
   */
  addTo(sum: Ledger): number {
    const { log, flushed } = this.topic;
    const cursor = this.#synced;
    sum.due += cursor.due(log.newest);
    sum.delivered += this.#delivered;
    if (cursor.dropped !== undefined) addDropped(sum.dropped, cursor.dropped);
    if (!this.pending) return 0;
    const waiting = cursor.queued(log, this.#policy);
    const unflushed = Math.min(waiting, log.newest - flushed);
    const unreported = this.#named(cursor.unreported(log, this.#policy));
    sum.queued += waiting - unflushed;
    sum.unflushed += unflushed;
    addDropped(sum.dropped, unreported);
    return totalOf(unreported);
  }

  /**
   * Starts a replay of the events after `start`, even of those sent before. Returns how many will be sent.
   *
   * Call it after the queue was sent as far as the peer takes it. Events left before the new start, of an earlier
   * replay or a gap, are reported as lost right away.
   */
  replay(start: number): number {
    const { log } = this.topic;
    const { blocked } = this.peer;
    this.lag();
    // A subscription that the next flush will disconnect is not saved by asking again.
    if (start >= log.newest || (blocked && this.tooSlow)) return 0;
    if (blocked) this.applyOverflow();
    const from = this.#cursor.replayStart(start);
    if (from > this.#cursor.sent) this.#report(from, { skipped: from - this.#cursor.sent });
    this.#unpin();
    this.#shared.metrics.due(this.#cursor.sent - from);
    this.#cursor.replay(from, log.newest);
    if (blocked) this.pin();
    this.#shared.metrics.replayed(log.newest - from);
    return log.newest - from;
  }

  /** Call while the peer is blocked. Notes how much waits, and tells the observer once that the queue is full. */
  noteBacklog(): void {
    this.#shared.metrics.waiting(this.#synced.queued(this.topic.log, this.queue));
    if (this.#fellBehind || !this.#overflows) return;
    this.#fellBehind = true;
    this.#shared.observer.fellBehind(this);
  }

  /**
   * Whether it asked to be disconnected instead of losing events, and now would lose some: the queue exceeds its limit,
   * or memory ran out and the log no longer has all of it. Ask only while the peer is blocked, or when it drains.
   */
  get tooSlow(): boolean {
    if (this.queue.overflow !== "disconnect") return false;
    return this.#overflows || this.#cursor.goneUntil(this.topic.log) > this.position;
  }

  /** Applies the overflow policy to what was queued while the peer was blocked. */
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
        this.#report(gone, this.#named(this.#cursor.lossesTo(gone)));
        continue;
      }
      const seq = this.#cursor.sent + 1;
      const text = this.#eventAt(seq);
      peer.event(text, seq);
      this.#cursor.moveTo(seq);
      this.#delivered++;
      this.#shared.metrics.delivered(1);
      left -= text.length;
    }
    if (this.#cursor.sent >= this.#cursor.replayEnd) this.#unpin();
    if (this.#fellBehind && this.#cursor.sent === log.newest) {
      this.#fellBehind = false;
      this.#shared.observer.caughtUp(this, totalOf(this.#cursor.dropped ?? {}));
    }
    return left;
  }

  /** Pins the unsent part of the replay, if the budget allows, so that the log may overwrite it. */
  pin(): void {
    const first = Math.max(this.position + 1, this.topic.log.oldest);
    if (this.#pinned !== undefined || first > this.#cursor.replayEnd) return;
    this.#pinned = this.#shared.budget.pin(this.topic.log, first, this.#cursor.replayEnd);
    if (this.#pinned !== undefined) this.#cursor.pin(first);
  }

  /**
   * Releases everything. What is unsent is dropped for `reason`.
   *
   * @param tell whether the client is told of the unsent events as a gap
   */
  end(reason: DropReason, tell: boolean): void {
    this.lag();
    const { log } = this.topic;
    if (this.pending) {
      const losses = this.#named(this.#cursor.unreported(log, this.#policy));
      this.#report(log.newest, { ...losses, [reason]: this.#cursor.queued(log, this.#policy) }, tell);
    }
    this.#unpin();
  }

  /** Losses, with the name that those of a full queue have for this subscriber. */
  #named({ queue_full, ...others }: Losses): Dropped {
    return this.queue.overflow === "latest" ? { superseded: queue_full, ...others } : { queue_full, ...others };
  }

  /** The overflow policy, if it is still to be applied. */
  get #policy(): Queue | undefined {
    return this.peer.blocked ? this.queue : undefined;
  }

  /** Whether more events are queued than allowed. Replay does not count. */
  get #overflows(): boolean {
    return this.#synced.overflows(this.topic.log.newest, this.queue.limit);
  }

  /** The cursor, moved to the position. */
  get #synced(): Cursor {
    if (this.#caughtUp) this.#cursor.moveTo(this.position);
    return this.#cursor;
  }

  /** Gives up the events from the cursor to `last`, and moves past them. @param tell whether the client is told */
  #report(last: number, reasons: Dropped, tell = true): void {
    const first = this.#cursor.sent + 1;
    // With `latest`, the client expects gaps: the jump in `seq` shows them.
    if (tell && this.queue.overflow !== "latest") {
      this.peer.notice(slowConsumer(this.topic.name, first, last));
      this.#shared.metrics.gapTold();
    }
    this.#cursor.lose(last, reasons);
    this.#shared.metrics.dropped(reasons);
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
