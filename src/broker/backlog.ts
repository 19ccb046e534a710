import type { Readers } from "./fanout.ts";
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
  const sum = { queued: 0, unflushed: 0, unreported: 0, lagging: 0 };
  for (const { subscriptions } of topics) for (const subscription of subscriptions.values()) add(sum, subscription);
  for (const subscription of ending) add(sum, subscription);
  return sum;
}

function add(sum: Backlog, subscription: Subscription<Session>): void {
  if (!subscription.pending) return;
  const { queued, unflushed, unreported } = subscription.ledger();
  sum.queued += queued;
  sum.unflushed += unflushed;
  sum.unreported += unreported;
  if (queued > 0) sum.lagging++;
}
