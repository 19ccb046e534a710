import type { Overflow } from "../protocol/frames.ts";
import type { Dropped } from "../protocol/ledger.ts";
import { addDropped } from "../protocol/ledger.ts";

/** The events that a log holds: the `seq` of the oldest and of the newest. */
export type LogBounds = { readonly oldest: number; readonly newest: number };

/** How a slow subscriber is treated. */
export type Queue = {
  /** How many events may wait for the subscriber. */
  limit: number;
  overflow: Overflow;
};

/** How many events are lost because the queue was full, and how many because history no longer had them. */
export type Losses = { queue_full: number; not_in_history: number };

/**
 * Where a subscriber stands in the log of its topic. It copies no events: its queue lies between `sent` and the head.
 *
 * ```
 *       sent        replayEnd       droppedTo          newest
 *   ──────┼─────────────┼───────────────┼─────────────────┤
 *         │   replay    │      gap      │      queue      │
 *         ┊  ▲ pinnedFrom               ┊                 ┊
 * ```
 *
 * Everything up to `sent` was sent, or reported as lost. Events from there to `replayEnd` are replay, which does not
 * count against the queue. The overflow policy has dropped the next ones up to `droppedTo`, and they are not reported
 * yet. Each part after `sent` may be empty. Events that the log no longer holds are lost too, unless they are pinned.
 */
export class Cursor {
  #sent: number;
  #replayEnd = 0;
  #droppedTo = 0;
  /** 0 while nothing is pinned. */
  #pinnedFrom = 0;
  /** The events after this one were to be sent. A replay moves it back by as many as it goes back. */
  #dueAfter: number;
  #dropped: Dropped | undefined;

  /** @param sent the `seq` before its first event */
  constructor(sent: number) {
    this.#sent = sent;
    this.#dueAfter = sent;
  }

  /** Everything up to this `seq` was sent, or reported as lost. */
  get sent(): number {
    return this.#sent;
  }

  /** The last `seq` of the latest replay, sent or not; 0 before the first replay. */
  get replayEnd(): number {
    return this.#replayEnd;
  }

  /** How many events are lost and reported, by reason; undefined if none are. */
  get dropped(): Readonly<Dropped> | undefined {
    return this.#dropped;
  }

  /** How many events were to be sent so far. */
  due(newest: number): number {
    return newest - this.#dueAfter;
  }

  /** Records that everything up to `seq` was sent. */
  moveTo(seq: number): void {
    this.#sent = seq;
  }

  /** Records that everything after `sent`, up to `seq`, is reported as lost for these reasons. */
  lose(seq: number, reasons: Dropped): void {
    this.#dropped ??= {};
    addDropped(this.#dropped, reasons);
    this.#sent = seq;
  }

  /** Whether more than `limit` events are queued. Replay does not count. */
  overflows(newest: number, limit: number): boolean {
    return newest - Math.max(this.#sent, this.#replayEnd) > limit;
  }

  /** The overflow policy drops queued events up to this `seq`. If it has nothing to drop, `droppedTo` stays. */
  dropsTo(newest: number, { limit, overflow }: Queue): number {
    if (overflow === "disconnect" || !this.overflows(newest, limit)) return this.#droppedTo;
    return Math.max(this.#droppedTo, newest - (overflow === "latest" ? 1 : limit));
  }

  /** Drops the oldest events beyond the limit. Beyond it `latest` keeps only the newest; `disconnect` drops none. */
  applyOverflow(newest: number, queue: Queue): void {
    this.#droppedTo = this.dropsTo(newest, queue);
  }

  /** Events up to this `seq` can no longer be sent. It is `sent` if the next event still can. */
  goneUntil({ oldest }: LogBounds): number {
    if (this.#pinnedFrom > 0 && this.#sent < this.#replayEnd) return Math.max(this.#sent, this.#pinnedFrom - 1);
    const gone = Math.max(this.#sent, oldest - 1);
    return gone >= this.#replayEnd ? Math.max(gone, this.#droppedTo) : gone;
  }

  /** The `seq` that a replay starts after: `start`, or the beginning of the queue if that comes earlier. */
  replayStart(start: number): number {
    return Math.min(start, Math.max(this.#sent, this.#replayEnd, this.#droppedTo));
  }

  /** Moves to `start`. Events from there to `end` become replay. Those sent before are to be sent again. */
  replay(start: number, end: number): void {
    this.#dueAfter += start - this.#sent;
    this.#sent = start;
    this.#replayEnd = end;
  }

  /** Records that the replay is pinned from `first` on, so the log may overwrite it. */
  pin(first: number): void {
    this.#pinnedFrom = first;
  }

  unpin(): void {
    this.#pinnedFrom = 0;
  }

  /**
   * How many events wait to be sent.
   *
   * @param queue the policy, if it is still to be applied
   */
  queued(log: LogBounds, queue: Queue | undefined): number {
    const droppedTo = queue === undefined ? this.#droppedTo : this.dropsTo(log.newest, queue);
    const replay = Math.max(0, this.#replayEnd - this.goneUntil(log));
    return replay + log.newest - Math.max(this.#sent, this.#replayEnd, droppedTo, log.oldest - 1);
  }

  /** How many events are lost and not reported yet, by reason; see {@link queued}. */
  unreported(log: LogBounds, queue: Queue | undefined): Losses {
    const droppedTo = queue === undefined ? this.#droppedTo : this.dropsTo(log.newest, queue);
    const lost = log.newest - this.#sent - this.queued(log, queue);
    const queue_full = Math.max(0, droppedTo - Math.max(this.#sent, this.#replayEnd));
    return { queue_full, not_in_history: lost - queue_full };
  }

  /** Why the events from `sent` to `seq` cannot be sent, if none of them can. */
  lossesTo(seq: number): Losses {
    const queue_full = Math.max(0, Math.min(seq, this.#droppedTo) - Math.max(this.#sent, this.#replayEnd));
    return { queue_full, not_in_history: seq - this.#sent - queue_full };
  }
}
