import { ProtocolError } from "../protocol/codes.ts";
import { encodeEvent, eventRoom } from "../protocol/encode.ts";
import type { Message } from "../protocol/messages.ts";
import type { Asked } from "./asked.ts";
import type { Queue } from "./subscription.ts";
import type { Topic } from "./topic.ts";

/**
 * Refuses messages of which one would make a larger event than `most` bytes: nobody is sent a larger frame than a publisher may
 * send.
 */
export function checkSizes(topic: Topic, messages: readonly Message[], ts: string, most: number): void {
  let room = 0;
  for (const message of messages) room = Math.max(room, eventRoom(topic.text, message));
  if (room > most) checkEach(topic, messages, ts, most);
}

/** The same by what each event really takes. */
function checkEach(topic: Topic, messages: readonly Message[], ts: string, most: number): void {
  for (const [index, message] of messages.entries()) {
    const size = Buffer.byteLength(encodeEvent(topic.text, topic.log.newest + 1 + index, message, ts));
    if (size <= most) continue;
    const name = messages.length === 1 ? "message" : `messages[${index}]`;
    const problem = `${name} makes an event of ${size} bytes, and MAX_MESSAGE_BYTES is ${most}`;
    throw new ProtocolError("TOO_LARGE", problem, { topic: topic.name });
  }
}

/** The queue that a subscriber asks for, which may not be longer than the topic's. */
export function queueOf(topic: Topic, { queue = topic.queueLimit, overflow = "drop_oldest" }: Asked): Queue {
  if (queue <= topic.queueLimit) return { limit: queue, overflow };
  const message = `'queue' is ${queue}, and MAX_SUBSCRIBER_QUEUE is ${topic.queueLimit}`;
  throw new ProtocolError("LIMIT_EXCEEDED", message, { topic: topic.name });
}
