/**
 * What the figures are measured against: the same frames on Bun's own publish, and nothing else. No queues, no replay, no
 * loss reports, no checks.
 */
import { z } from "zod";

const requestSchema = z.object({ type: z.string(), topic: z.string(), message: z.unknown(), request_id: z.unknown() });
// The schema gives the type only: checking the frames would cost the control something that it is there to go without.
const read = (text: string): z.infer<typeof requestSchema> => JSON.parse(text);

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  development: false,
  fetch: (request, bun) => (bun.upgrade(request) ? undefined : Response.json({ status: "created" }, { status: 201 })),
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    message(socket, text) {
      const { type, topic, message, request_id } = read(String(text));
      const ts = new Date().toISOString();
      if (type === "subscribe") socket.subscribe(topic);
      else server.publish(topic, JSON.stringify({ type: "event", topic, message, ts }), false);
      socket.send(`{"type":"ack","request_id":"${request_id}","topic":"${topic}","status":"ok","ts":"${ts}"}`);
    },
  },
});
console.log(JSON.stringify({ msg: "control listening", port: server.port }));
