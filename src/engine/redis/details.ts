import { addTo, emptyLedger } from "../../protocol/ledger.ts";
import type { SubscriberPage, TopicDetail } from "../../protocol/nodes.ts";

/** What several nodes know of the subscribers of one topic, as one. */
export function subscribersOf(
  details: readonly TopicDetail[],
  { limit }: SubscriberPage,
): Pick<TopicDetail, "ledger" | "subscribers" | "total"> {
  const ledger = emptyLedger();
  for (const { ledger: one } of details) addTo(ledger, one);
  const subscribers = details.flatMap((detail) => detail.subscribers);
  subscribers.sort((a, b) => (a.clientId < b.clientId ? -1 : 1));
  const total = details.reduce((sum, detail) => sum + detail.total, 0);
  return { ledger, total, subscribers: subscribers.slice(0, limit) };
}
