import type { Overflow } from "../protocol/frames.ts";

/** What of a topic a log holds: the `seq` of its first event and of its last. */
export type LogBounds = { readonly oldest: number; readonly newest: number };

/** How a subscriber is treated that is slow. */
export type Queue = {
  /** How many events may wait for it. */
  limit: number;
  overflow: Overflow;
};

/**
 * Where a subscriber stands in the log of its topic. It copies nothing: its queue is what lies between `sent` and the head.
 *
 * ```
 *       sent        replayEnd       droppedTo          newest
 *   ──────┼─────────────┼───────────────┼─────────────────┤
 *         │   replay    │      gap      │      queue      │
 *         ┊  ▲ pinnedFrom               ┊                 ┊
 * ```
 *
 * Up to `sent` everything was sent, or reported as lost. Up to `replayEnd` follows what was asked for as replay, which does
 * not count against the queue. Up to `droppedTo` the overflow policy has let events go that are not reported yet. The parts
 * after `sent` may be empty. What the log has let go of is gone as well, save what is pinned of a replay.
 */
export class Cursor {
  #sent: number;
  #replayEnd = 0;
  #droppedTo = 0;
  /** 0 while nothing is pinned. */
  #pinnedFrom = 0;
  #dropped = 0;

  /** @param sent the `seq` that its first event comes after */
  constructor(sent: number) {
    this.#sent = sent;
  }

  /** The `seq` up to which everything was sent or reported. */
  get sent(): number {
    return this.#sent;
  }

  /** The last `seq` of the replay, whether or not it was sent; 0 before the first. */
  get replayEnd(): number {
    return this.#replayEnd;
  }

  /** How many events were reported as lost, in all. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes note that everything up to `seq` was sent. */
  moveTo(seq: number): void {
    this.#sent = seq;
  }

  /** Takes note that everything up to `seq` is reported as lost. */
  lose(seq: number): void {
    this.#dropped += seq - this.#sent;
    this.#sent = seq;
  }

  /** Whether more is queued than `limit`. */
  overflows(newest: number, limit: number): boolean {
    return newest - Math.max(this.#sent, this.#replayEnd) > limit;
  }

  /** The `seq` up to which the overflow policy lets queued events go; what it has let go of already, where all fit. */
  dropsTo(newest: number, { limit, overflow }: Queue): number {
    if (overflow === "disconnect" || !this.overflows(newest, limit)) return this.#droppedTo;
    return Math.max(this.#droppedTo, newest - (overflow === "latest" ? 1 : limit));
  }

  /** Lets the oldest queued events beyond the limit go, or all but the newest where only that is wanted. */
  applyOverflow(newest: number, queue: Queue): void {
    this.#droppedTo = this.dropsTo(newest, queue);
  }

  /** The `seq` up to which events can be sent no more; `sent` where the very next one can. */
  goneUntil({ oldest }: LogBounds): number {
    if (this.#pinnedFrom > 0 && this.#sent < this.#replayEnd) return Math.max(this.#sent, this.#pinnedFrom - 1);
    const gone = Math.max(this.#sent, oldest - 1);
    return gone >= this.#replayEnd ? Math.max(gone, this.#droppedTo) : gone;
  }

  /** Where a replay begins that was asked to begin after `start`: no later than what is to be sent anyway. */
  replayStart(start: number): number {
    return Math.min(start, Math.max(this.#sent, this.#replayEnd, this.#droppedTo));
  }

  /** Goes back to `start`, from where all up to `end` is replay. */
  replay(start: number, end: number): void {
    this.#sent = start;
    this.#replayEnd = end;
  }

  /** Takes note that the replay is kept from `first` on, whatever becomes of the log. */
  pin(first: number): void {
    this.#pinnedFrom = first;
  }

  unpin(): void {
    this.#pinnedFrom = 0;
  }

  /**
   * How many events wait to be sent, and how many were or will be reported as lost.
   *
   * @param queue the policy, where it is about to be applied
   */
  stats(log: LogBounds, queue: Queue | undefined): { queued: number; dropped: number } {
    const { oldest, newest } = log;
    const droppedTo = queue === undefined ? this.#droppedTo : this.dropsTo(newest, queue);
    const replay = Math.max(0, this.#replayEnd - this.goneUntil(log));
    const live = newest - Math.max(this.#sent, this.#replayEnd, droppedTo, oldest - 1);
    const queued = replay + live;
    return { queued, dropped: this.#dropped + (newest - this.#sent - queued) };
  }
}
