/**
 * Subscribers of many topics, one of each, over a few connections of each node, in a process of their own. Says when all are
 * subscribed. Told to end, it publishes a message to each topic, at another node than that of its subscriber, as soon as that
 * is acknowledged; and says when the last subscriber has been told of its topic's new epoch, and has the message.
 */
import { z } from "zod";
import { given, say, untilToldToEnd } from "../support/helper-process.ts";
import { fail, FrameSocket } from "./frame-socket.ts";
import { crowdSchema, timeOfDay, type CaughtUp } from "./nodes-messages.ts";

const { ports, topics: count, subscriptionsEach } = given(crowdSchema);

/** How long after a refusal it publishes again. */
const AGAIN_MS = 5;
const PATIENCE_MS = 60_000;

const frameSchema = z.object({
  type: z.string(),
  topic: z.string().optional(),
  msg: z.string().optional(),
  request_id: z.int().optional(),
});
type Frame = z.infer<typeof frameSchema>;

const topicOf = (index: number) => `t${index}`;
const all = Array.from({ length: count }, (_, index) => index);
const connect = (port: number, take: (frame: Frame) => void) =>
  FrameSocket.open(port, {
    frame: (_, bytes, start, end) => take(frameSchema.parse(JSON.parse(bytes.toString("utf8", start, end)))),
  });

const told = new Set<string>();
const sent = new Set<string>();
const acked = new Set<number>();
const times: Partial<CaughtUp> = {};
const complete = Promise.withResolvers<void>();

function note(frame: Frame): void {
  const { type, msg, topic = "" } = frame;
  if (type === "info" && msg === "epoch_changed") {
    told.add(topic);
    times.lastTold = timeOfDay();
  } else if (type === "event") {
    if (!told.has(topic)) fail(`A subscriber of ${topic} has a message, and was not told of its epoch`);
    sent.add(topic);
    times.lastMessage = timeOfDay();
  } else fail(`A subscriber was sent ${JSON.stringify(frame)}`);
  if (sent.size === count && acked.size === count) complete.resolve();
}

/** One connection with a subscription to each of these. */
async function subscribe(port: number, some: readonly number[]): Promise<void> {
  const ready = Promise.withResolvers<void>();
  let subscribed = 0;
  const socket = await connect(port, (frame) => {
    if (frame.type !== "ack") note(frame);
    else if (++subscribed === some.length) ready.resolve();
  });
  for (const index of some) socket.send({ type: "subscribe", topic: topicOf(index), client_id: "c" });
  await ready.promise;
}

/** A connection that publishes to each of these: to the first of them until that is acknowledged, and then to all others. */
async function openPublisher(port: number, some: readonly number[]): Promise<() => void> {
  const [first = 0, ...others] = some;
  const socket = await connect(port, ({ type, request_id: index = 0 }) => {
    if (type !== "ack") return void setTimeout(publish, AGAIN_MS, index);
    acked.add(index);
    times.lastAck = timeOfDay();
    times.firstAck ??= times.lastAck;
    if (index === first) others.forEach(publish);
    if (sent.size === count && acked.size === count) complete.resolve();
  });
  const publish = (index: number) => {
    const message = { id: "550e8400-e29b-41d4-a716-446655440000", payload: index };
    socket.send({ type: "publish", topic: topicOf(index), message, request_id: index });
  };
  return () => publish(first);
}

const publishers: (() => void)[] = [];
for (const [node, port] of ports.entries()) {
  const here = all.filter((index) => index % ports.length === node);
  for (let from = 0; from < here.length; from += subscriptionsEach) {
    await subscribe(port, here.slice(from, from + subscriptionsEach));
  }
  publishers.push(await openPublisher(ports[(node + 1) % ports.length] ?? port, here));
}
say({ subscribed: count });
await untilToldToEnd();
for (const begin of publishers) begin();
const late = () => fail(`${acked.size} acks, ${told.size} told, ${sent.size} messages of ${count} have come`);
const timer = setTimeout(late, PATIENCE_MS);
await complete.promise;
clearTimeout(timer);
say(times);
process.exit(0);
