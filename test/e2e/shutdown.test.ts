import { expect, test } from "bun:test";
import { Client, ID } from "../support/client.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTopic, health, startTestServer } from "../support/server.ts";

test("shutting down sends what is queued, names each topic as deleted, says goodbye and closes with 1001", async () => {
  const server = startTestServer({ SHUTDOWN_GRACE_MS: "5000", FLUSH_INTERVAL_MS: "60000" });
  await createTopic(server, "a");
  await createTopic(server, "b");
  const client = await Client.connect(server);
  await client.subscribe("a", "me");
  await client.subscribe("b", "me");
  await client.publish("a", "queued");
  await server.stop();
  expect((await client.next()).message?.payload).toBe("queued");
  expect(await client.next()).toMatchObject({ type: "info", msg: "topic_deleted", topic: "a" });
  expect(await client.next()).toMatchObject({ type: "info", msg: "topic_deleted", topic: "b" });
  expect(await client.next()).toMatchObject({ type: "info", msg: "server_shutdown" });
  expect(await client.closed).toEqual({ code: 1001, reason: "shutting down" });
  await expect(fetch(`${server.url}/livez`)).rejects.toThrow();
});

test("while a stalled client has its grace nobody new comes in; it gets what was queued once it reads", async () => {
  const server = startTestServer({ SHUTDOWN_GRACE_MS: "60000" });
  await createTopic(server, "t");
  const stalled = await RawClient.connect(server);
  stalled.send({ type: "subscribe", topic: "t", client_id: "stalled" });
  const publisher = await Client.connect(server);
  while ((await health(server)).subscribers < 1) await publisher.settle();
  for (let i = 0; i < 300; i++) await publisher.publish("t", "x".repeat(50_000));
  const stopped = server.stop();
  expect(await publisher.closed).toMatchObject({ code: 1001 });

  expect((await fetch(`${server.url}/livez`)).status).toBe(200);
  const ready = await fetch(`${server.url}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([503, { code: "SHUTTING_DOWN" }]);
  expect((await fetch(`${server.url}/topics`, { method: "POST", body: '{"name":"new"}' })).status).toBe(503);
  await expect(Client.connect(server)).rejects.toThrow();
  expect((await fetch(`${server.url}/topics/t/events`)).status).toBe(503);
  // Any other status would keep a browser's EventSource from ever coming back.
  const stream = await fetch(`${server.url}/topics/t/events`, { headers: { "last-event-id": "e:1" } });
  expect([stream.status, stream.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  expect(await stream.text()).toMatch(
    /^retry: [12]\d{3}\nevent: error\ndata: \{"type":"error","error":\{"code":"SHUTTING_DOWN",.*\}\n\n$/,
  );

  const frames = await stalled.readUntil(() => stalled.close !== undefined);
  const events = frames.filter(({ type }) => type === "event");
  expect(events.at(-1)?.seq).toBe(300);
  expect(frames.slice(-2)).toMatchObject([{ msg: "topic_deleted", topic: "t" }, { msg: "server_shutdown" }]);
  expect(stalled.close).toEqual({ code: 1001, reason: "shutting down" });
  stalled.cut();
  await stopped;
});

test("a client that never takes what is queued is closed when the grace is over", async () => {
  const server = startTestServer({ SHUTDOWN_GRACE_MS: "100" });
  await createTopic(server, "t");
  const stalled = await RawClient.connect(server);
  stalled.send({ type: "subscribe", topic: "t", client_id: "stalled" });
  const publisher = await Client.connect(server);
  while ((await health(server)).subscribers < 1) await publisher.settle();
  const frame = JSON.stringify({ type: "publish", topic: "t", message: { id: ID, payload: "x".repeat(50_000) } });
  for (let i = 0; i < 300; i++) await publisher.ask(frame);
  await server.stop();
  stalled.cut();
});
