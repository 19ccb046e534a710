import { totalOf } from "../../src/protocol/ledger.ts";
import type { Ledger } from "../../src/protocol/ledger.ts";

/** By how many events a ledger is out of balance. */
export function imbalance({ due, delivered, dropped, queued, unflushed }: Ledger): number {
  return due - delivered - totalOf(dropped) - queued - unflushed;
}

type Samples = ReadonlyMap<string, number>;

/** How many events were dropped, for whatever reason, by samples of `/metrics`. */
export function totalDropped(samples: Samples): number {
  const reasons = [...samples].filter(([name]) => name.startsWith("pubsub_events_dropped_total{"));
  return reasons.reduce((sum, [, value]) => sum + value, 0);
}

/** What is wrong with the totals in samples of `/metrics`; undefined if they are in balance. */
export function imbalanceIn(samples: Samples): string | undefined {
  const of = (name: string) => samples.get(`pubsub_events_${name}`) ?? Number.NaN;
  const parts = {
    due: of("due_total"),
    delivered: of("delivered_total"),
    dropped: totalDropped(samples),
    unreported: of("dropped_unreported"),
    queued: of("queued"),
    unflushed: of("unflushed"),
  };
  const { due, delivered, dropped, unreported, queued, unflushed } = parts;
  const isBalanced = due === delivered + dropped + unreported + queued + unflushed;
  return isBalanced ? undefined : `The totals are out of balance: ${JSON.stringify(parts)}`;
}
