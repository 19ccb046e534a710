import type { Readers } from "./fanout.ts";
import { emptyLedger } from "../protocol/ledger.ts";
import type { Session } from "./session.ts";
import type { Subscription } from "./subscription.ts";

/** What waits for all subscribers together, in events. */
export type Backlog = {
  queued: number;
  unflushed: number;
  /** Dropped, and the subscribers are not told yet. */
  unreported: number;
  /** How many subscribers something is queued for. */
  lagging: number;
};

/** @param ending subscriptions of deleted topics, among them those that have not ended yet */
export function backlogOf(topics: Iterable<Readers>, ending: Iterable<Subscription<Session>>): Backlog {
  const sum = { ...emptyLedger(), unreported: 0, lagging: 0 };
  const add = (subscription: Subscription<Session>) => {
    if (!subscription.pending) return;
    const before = sum.queued;
    sum.unreported += subscription.addTo(sum);
    if (sum.queued > before) sum.lagging++;
  };
  for (const { subscriptions } of topics) for (const subscription of subscriptions.values()) add(subscription);
  for (const subscription of ending) add(subscription);
  const { queued, unflushed, unreported, lagging } = sum;
  return { queued, unflushed, unreported, lagging };
}
