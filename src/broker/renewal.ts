import type { Fanout, Readers } from "./fanout.ts";
import { addTo } from "../protocol/ledger.ts";
import type { Session } from "./session.ts";
import { Subscription, type Shared } from "./subscription.ts";
import type { Topic } from "./topic.ts";

/**
 * Carries the subscriptions of a topic over to `topic`, its next epoch.
 *
 * Each is sent what waits for it, as far as its peer takes it, told of the rest as a gap, and then of the new epoch. What
 * became of its events so far is added to the topic's ledger.
 */
export function renew({ topic: old, subscriptions }: Readers, topic: Topic, fanout: Fanout, shared: Shared): Readers {
  const successors = new Map<string, Subscription<Session>>();
  addTo(topic.ended, old.ended);
  const { name, epoch, log } = topic;
  for (const subscription of subscriptions.values()) {
    const { clientId, session, peer, queue } = subscription;
    fanout.finish(subscription);
    // Its client may have gone just now.
    if (!session.subscriptions.includes(subscription)) continue;
    subscription.end("epoch_changed", true);
    subscription.addTo(topic.ended);
    session.remove(subscription);
    const successor = new Subscription(topic, clientId, session, peer, queue, shared);
    successors.set(clientId, successor);
    session.add(successor);
    peer.notice({ type: "info", msg: "epoch_changed", topic: name, epoch, seq: log.newest });
  }
  return { topic, subscriptions: successors };
}
