import { expect, test } from "bun:test";
import { connect } from "node:net";
import type { Engine } from "../../src/engine/engine.ts";
import { FlushScheduler } from "../../src/transport/flush-scheduler.ts";
import { WebSocketTransport } from "../../src/transport/websocket.ts";
import { Client, ID } from "../support/client.ts";
import { makeLogger } from "../support/make-logger.ts";
import { makeRegistry, OPEN, UNLIMITED } from "../support/make-registry.ts";
import { startTestServer } from "../support/server.ts";

test("a fault of ours is logged with its cause, answered INTERNAL without it, and the connection lives", async () => {
  const { lines, log } = makeLogger("warn");
  const { broker, metrics, deps } = makeRegistry({ log });
  const engine: Engine = broker.engine;
  engine.publish = () => {
    throw new Error("the secret cause");
  };
  const sockets = new WebSocketTransport({
    ...deps,
    publishLimits: UNLIMITED,
    auth: OPEN,
    authTimeoutMs: 1000,
    broker,
    engine,
    log,
    metrics,
    maxMessageBytes: 9999,
    waitingFrameBytes: 9999,
    heartbeats: false,
  });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, bun) =>
      bun.upgrade(request, {
        data: { port: undefined, address: undefined, traceparent: undefined, grant: undefined, peer: undefined },
      })
        ? undefined
        : new Response(),
    websocket: sockets.handler(),
  });
  await using client = await Client.connect({ wsUrl: `ws://127.0.0.1:${server.port}/` });
  const message = { id: ID, payload: 1 };
  const answer = await client.ask({ type: "publish", topic: "t", message, request_id: 1 });
  expect(answer).toMatchObject({ type: "error", request_id: 1, error: { code: "INTERNAL" } });
  expect(JSON.stringify(answer)).not.toContain("secret");
  expect(lines.join()).toContain("the secret cause");
  expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  await server.stop(true);
});

test("FlushScheduler goes on after a flush that failed, and logs why", async () => {
  const { lines, log } = makeLogger("warn");
  const flushed = Promise.withResolvers<void>();
  let runs = 0;
  const flush = () => {
    runs++;
    if (runs === 1) throw new Error("the cause");
    flushed.resolve();
  };
  const scheduler = new FlushScheduler(flush, 0, log, { flushed: () => {} });
  scheduler.wake(1, 1);
  scheduler.wake(1, 1);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(runs).toBe(1);
  scheduler.wake(1, 1);
  await flushed.promise;
  expect(lines.join()).toContain("the cause");
});

test("a body that its sender breaks off is not logged as a fault of ours", async () => {
  await using server = startTestServer();
  const socket = connect(server.port, "127.0.0.1");
  socket.write("POST /topics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc", () => socket.destroy());
  await new Promise((resolve) => socket.on("close", resolve));
  await using client = await Client.connect(server);
  for (let i = 0; i < 20; i++) await client.settle();
  expect(server.lines).toEqual([]);
});
