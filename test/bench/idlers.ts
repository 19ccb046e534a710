/**
 * Holds many WebSockets, in a process of its own, that only answer pings. With a topic each of them subscribes to it. Says
 * when all are connected, when all are closed, and at the end what they received.
 */
import type { Socket } from "bun";
import { z } from "zod";
import { given, say, untilToldToEnd } from "../support/helper-process.ts";
import { encodeClientFrame, OPCODES, UPGRADE } from "../support/websocket-frames.ts";
import { WebSocketTextReader } from "../support/websocket-reader.ts";

const { port, connections, topic } = given(
  z.object({ port: z.int(), connections: z.int(), topic: z.string().optional() }),
);

/** Connections that are opened at a time. */
const TOGETHER = 100;
const found = { heartbeats: 0, deletions: 0, codes: new Map<number, number>(), cut: 0 };
let open = 0;

async function connect(index: number): Promise<void> {
  const ready = Promise.withResolvers<void>();
  let closed = false;
  const reader = new WebSocketTextReader(
    (text) => {
      if (text.includes('"msg":"ping"')) found.heartbeats++;
      else if (text.includes('"msg":"topic_deleted"')) found.deletions++;
      else ready.resolve();
    },
    (bytes) => void socket.write(bytes),
  );
  const end = (code: number | undefined) => {
    if (closed) return;
    closed = true;
    open--;
    if (code === undefined) found.cut++;
    else found.codes.set(code, (found.codes.get(code) ?? 0) + 1);
    // The time of day is what two processes have in common.
    if (open === 0) say({ closedAt: performance.timeOrigin + performance.now() });
  };
  const socket: Socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, bytes) {
        reader.push(bytes);
        if (reader.open && topic === undefined) ready.resolve();
        if (reader.close === undefined || closed) return;
        end(reader.close.code);
        // A server that has closed a WebSocket waits for the answer (RFC 6455 §5.5.1).
        socket.end(encodeClientFrame("", OPCODES.close));
      },
      close: () => end(undefined),
    },
  });
  open++;
  socket.write(UPGRADE);
  if (topic !== undefined) {
    socket.write(encodeClientFrame(JSON.stringify({ type: "subscribe", topic, client_id: `c${index}` })));
  }
  await ready.promise;
}

for (let first = 0; first < connections; first += TOGETHER) {
  const count = Math.min(TOGETHER, connections - first);
  await Promise.all(Array.from({ length: count }, (_, i) => connect(first + i)));
}
say({ connected: connections });
await untilToldToEnd();
say({ ...found, codes: Object.fromEntries(found.codes) });
process.exit(0);
