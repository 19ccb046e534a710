import { limitExceeded, ProtocolError } from "../protocol/codes.ts";
import type { Queue } from "./cursor.ts";
import type { SubscribeOptions } from "./recovery.ts";
import type { Session } from "./session.ts";
import type { Subscription } from "./subscription.ts";
import type { Topic } from "./topic.ts";

/**
 * Checks that a session may begin a subscription.
 *
 * @param current the subscription of another session that has the same id, which it would end
 * @param most how many subscriptions a session may have
 * @throws {ProtocolError} `FORBIDDEN`, `LIMIT_EXCEEDED`
 */
export function admit(
  session: Session,
  { name }: Topic,
  current: Subscription<Session> | undefined,
  most: number,
): void {
  if (current !== undefined && current.session.owner !== session.owner) {
    throw new ProtocolError("FORBIDDEN", `client_id '${current.clientId}' belongs to another credential`, {
      topic: name,
    });
  }
  // Those of deleted topics wait to be ended.
  const alive = session.subscriptions.filter(({ topic }) => !topic.deleted);
  if (alive.length >= most) throw limitExceeded("MAX_SUBSCRIPTIONS_PER_CONNECTION", most, { topic: name });
}

/** The queue that a subscriber asks for. Throws `LIMIT_EXCEEDED` if it is longer than the topic allows. */
export function queueOf(topic: Topic, { queue = topic.queueLimit, overflow = "drop_oldest" }: SubscribeOptions): Queue {
  if (queue <= topic.queueLimit) return { limit: queue, overflow };
  const message = `'queue' is ${queue}, and MAX_SUBSCRIBER_QUEUE is ${topic.queueLimit}`;
  throw new ProtocolError("LIMIT_EXCEEDED", message, { topic: topic.name, limit: "MAX_SUBSCRIBER_QUEUE" });
}
