import { DROP_REASONS, type Dropped, type Ledger } from "../protocol/ledger.ts";

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
