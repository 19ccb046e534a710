/**
 * What the figures are measured against: the same frames and nothing else. No queues, no replay, no loss reports, no checks.
 *
 *   bun test/bench/control.ts           by Bun's own publish
 *   bun test/bench/control.ts sends     by a call of sendText for each subscriber and event, at the end of the turn
 *
 * The second is what any server pays that looks at each subscriber before it sends: what is left between it and ours is
 * the price of our guarantees.
 */
import type { ServerWebSocket } from "bun";
import { z } from "zod";

const requestSchema = z.object({ type: z.string(), topic: z.string(), message: z.unknown(), request_id: z.unknown() });
// The schema gives the type only: checking the frames would cost the control something that it is there to go without.
const read = (text: string): z.infer<typeof requestSchema> => JSON.parse(text);

type Socket = ServerWebSocket<undefined>;
type Fanout = { subscribe(socket: Socket, topic: string): void; publish(topic: string, event: string): void };

const byPublish: Fanout = {
  subscribe: (socket, topic) => socket.subscribe(topic),
  publish: (topic, event) => void server.publish(topic, event, false),
};

type Topic = { sockets: Set<Socket>; waiting: string[] };
const topics = new Map<string, Topic>();
const dirty = new Set<Topic>();

function topicOf(name: string): Topic {
  const topic = topics.get(name) ?? { sockets: new Set(), waiting: [] };
  topics.set(name, topic);
  return topic;
}

function flush(): void {
  for (const topic of dirty) {
    const events = topic.waiting;
    topic.waiting = [];
    const send = (socket: Pick<Socket, "sendText">) => {
      for (const event of events) socket.sendText(event);
    };
    for (const socket of topic.sockets) {
      if (events.length === 1) send(socket);
      else socket.cork(send);
    }
  }
  dirty.clear();
}

const bySends: Fanout = {
  subscribe: (socket, topic) => void topicOf(topic).sockets.add(socket),
  publish: (name, event) => {
    const topic = topicOf(name);
    topic.waiting.push(event);
    if (dirty.size === 0) setImmediate(flush);
    dirty.add(topic);
  },
};

const fanout = process.argv[2] === "sends" ? bySends : byPublish;

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  development: false,
  fetch: (request, bun) => (bun.upgrade(request) ? undefined : Response.json({ status: "created" }, { status: 201 })),
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    message(socket: Socket, text) {
      const { type, topic, message, request_id } = read(String(text));
      const ts = new Date().toISOString();
      if (type === "subscribe") fanout.subscribe(socket, topic);
      else fanout.publish(topic, JSON.stringify({ type: "event", topic, message, ts }));
      socket.send(`{"type":"ack","request_id":"${request_id}","topic":"${topic}","status":"ok","ts":"${ts}"}`);
    },
    close(socket) {
      for (const topic of topics.values()) topic.sockets.delete(socket);
    },
  },
});
console.log(JSON.stringify({ msg: "control listening", port: server.port }));
