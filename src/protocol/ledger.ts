/** How a subscription may end. */
export const END_REASONS = [
  "unsubscribed",
  "replaced",
  "topic_deleted",
  "shutdown",
  "revoked",
  /** The server closes the connection for another reason. */
  "connection_closed",
  /** It asked to be disconnected instead of losing events. */
  "too_slow",
  /** The client is gone. */
  "disconnected",
] as const;

export type EndReason = (typeof END_REASONS)[number];

export const RESUME_OUTCOMES = ["recovered", "partial", "epoch_over"] as const;

/** What came of a `since`: all that was missed is sent, some of it is gone, or the topic has another epoch. */
export type ResumeOutcome = (typeof RESUME_OUTCOMES)[number];

/** Why events were not sent: how the subscription ended before they were, or what else happened. */
export const DROP_REASONS = [
  /** They were the oldest in a full queue. */
  "queue_full",
  /** The subscriber wants the latest only, and newer ones had come. */
  "superseded",
  /** History no longer had them when they were to be sent. */
  "not_in_history",
  /** The subscriber asked for another replay, which starts after them. */
  "skipped",
  /** The topic began a new epoch before they were sent. */
  "epoch_changed",
  ...END_REASONS,
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** How many events were dropped, by reason. A reason that did not occur is left out. */
export type Dropped = { [Reason in DropReason]?: number };

/**
 * What became of the events that were to be sent: those published while subscribed, and replay that was asked for. At
 * any moment `due` is the sum of all others. Each is counted on its own, so the sum can be checked.
 */
export type Ledger = {
  due: number;
  /** Handed to the subscriber's connection. */
  delivered: number;
  dropped: Dropped;
  /** Wait for the connection to take more. */
  queued: number;
  /** Were published in this turn of the event loop, or within `FLUSH_INTERVAL_MS`, and wait for its flush. */
  unflushed: number;
};

export function emptyLedger(): Ledger {
  return { due: 0, delivered: 0, dropped: {}, queued: 0, unflushed: 0 };
}

/** Adds what happened to the events of `one` to `sum`. */
export function addTo(sum: Ledger, one: Ledger): void {
  sum.due += one.due;
  sum.delivered += one.delivered;
  sum.queued += one.queued;
  sum.unflushed += one.unflushed;
  addDropped(sum.dropped, one.dropped);
}

/** Adds up dropped events reason by reason. */
export function addDropped(sum: Dropped, more: Dropped): void {
  for (const reason of DROP_REASONS) {
    const events = more[reason] ?? 0;
    if (events > 0) sum[reason] = (sum[reason] ?? 0) + events;
  }
}

export function totalOf(dropped: Dropped): number {
  let total = 0;
  for (const reason of DROP_REASONS) total += dropped[reason] ?? 0;
  return total;
}
