import type { Overflow } from "../protocol/frames.ts";

/** The events that a log holds: the `seq` of the oldest and of the newest. */
export type LogBounds = { readonly oldest: number; readonly newest: number };

/** How a slow subscriber is treated. */
export type Queue = {
  /** How many events may wait for the subscriber. */
  limit: number;
  overflow: Overflow;
};

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
  #dropped = 0;

  /** @param sent the `seq` before its first event */
  constructor(sent: number) {
    this.#sent = sent;
  }

  /** Everything up to this `seq` was sent, or reported as lost. */
  get sent(): number {
    return this.#sent;
  }

  /** The last `seq` of the latest replay, sent or not; 0 before the first replay. */
  get replayEnd(): number {
    return this.#replayEnd;
  }

  /** How many events were reported as lost in total. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Records that everything up to `seq` was sent. */
  moveTo(seq: number): void {
    this.#sent = seq;
  }

  /** Records that everything after `sent`, up to `seq`, is reported as lost. */
  lose(seq: number): void {
    this.#dropped += seq - this.#sent;
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

  /** Moves to `start`. Events from there to `end` become replay. */
  replay(start: number, end: number): void {
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
   * How many events wait to be sent, and how many are lost, reported or not.
   *
   * @param queue the policy, if it is still to be applied
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
