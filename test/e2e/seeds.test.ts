import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client, ID } from "../support/client.ts";
import { health, startTestServer, stats, type TestServer } from "../support/server.ts";

/** Every behaviour that the two seed documents name, in their order, through real sockets. */
let server: TestServer;
const http = (method: string, path: string, body?: object) =>
  fetch(server.url + path, { method, body: body === undefined ? null : JSON.stringify(body) });
const create = (name: string) => http("POST", "/topics", { name });
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

beforeAll(() => {
  server = startTestServer();
});
afterAll(() => server.stop());

describe("the seeds' features", () => {
  test("subscribe, publish, unsubscribe and ping are answered as the README shows", async () => {
    await create("orders");
    await using sub = await Client.connect(server);
    const subscribe = { type: "subscribe", topic: "orders", client_id: "s1", last_n: 5, request_id: "sub-123" };
    expect(await sub.ask(subscribe)).toMatchObject({
      type: "ack",
      request_id: "sub-123",
      topic: "orders",
      status: "ok",
      ts: expect.stringMatching(ISO),
    });
    const payload = { order_id: "ORD-789", amount: "12.34", currency: "USD" };
    const publish = { type: "publish", topic: "orders", message: { id: ID, payload }, request_id: "pub-789" };
    await using pub = await Client.connect(server);
    expect(await pub.ask(publish)).toMatchObject({ type: "ack", request_id: "pub-789", topic: "orders", status: "ok" });
    expect(await sub.next()).toMatchObject({
      type: "event",
      topic: "orders",
      message: { id: ID, payload },
      ts: expect.stringMatching(ISO),
    });
    const unsubscribe = { type: "unsubscribe", topic: "orders", client_id: "s1", request_id: "unsub-456" };
    expect(await sub.ask(unsubscribe)).toMatchObject({
      type: "ack",
      request_id: "unsub-456",
      topic: "orders",
      status: "ok",
    });
    expect(await sub.ask({ type: "ping", request_id: "ping-abc" })).toEqual({
      type: "pong",
      request_id: "ping-abc",
      ts: expect.stringMatching(ISO),
    });
  });

  test("an unknown topic is TOPIC_NOT_FOUND in the README's words", async () => {
    await using client = await Client.connect(server);
    const frame = { type: "publish", topic: "invalid-topic", message: { id: ID, payload: 1 }, request_id: "req-xyz" };
    expect(await client.ask(frame)).toEqual({
      type: "error",
      request_id: "req-xyz",
      topic: "invalid-topic",
      error: { code: "TOPIC_NOT_FOUND", message: "Topic 'invalid-topic' not found" },
      ts: expect.stringMatching(ISO),
    });
  });

  test("topics are created, listed with their subscribers, and deleted over HTTP", async () => {
    const created = await create("listed");
    expect([created.status, await created.json()]).toEqual([201, { status: "created", topic: "listed" }]);
    await using client = await Client.connect(server);
    await client.subscribe("listed", "one");
    const list = await (await http("GET", "/topics")).json();
    expect(list).toMatchObject({ topics: expect.arrayContaining([{ name: "listed", subscribers: 1 }]) });
    const deleted = await http("DELETE", "/topics/listed");
    expect([deleted.status, await deleted.json()]).toEqual([200, { status: "deleted", topic: "listed" }]);
    expect(await client.next()).toEqual({
      type: "info",
      msg: "topic_deleted",
      topic: "listed",
      ts: expect.stringMatching(ISO),
    });
    expect(await client.closed).toEqual({ code: 4404, reason: "topic deleted" });
    expect((await http("DELETE", "/topics/listed")).status).toBe(404);
  });

  test("health and stats count topics, subscribers and messages", async () => {
    await create("counted");
    await using client = await Client.connect(server);
    await client.subscribe("counted", "one");
    await using publisher = await Client.connect(server);
    for (let i = 0; i < 3; i++) await publisher.publish("counted", i);
    const topics = await stats(server);
    expect(topics["counted"]).toEqual({ messages: 3, subscribers: 1 });
    const { uptime_sec, ...others } = await health(server);
    expect(uptime_sec).toBeGreaterThanOrEqual(0);
    expect(others).toEqual({ topics: Object.keys(topics).length, subscribers: 1 });
  });

  test("a message reaches all subscribers of its topic, and those of no other", async () => {
    await create("fan-a");
    await create("fan-b");
    await using publisher = await Client.connect(server);
    const subscribers = await Promise.all(["fan-a", "fan-a", "fan-a", "fan-b"].map(() => Client.connect(server)));
    for (const [i, client] of subscribers.entries()) await client.subscribe(i === 3 ? "fan-b" : "fan-a", `c${i}`);
    await publisher.publish("fan-a", "for a");
    const received = await Promise.all(subscribers.map((client) => client.settle()));
    expect(received.map((frames) => frames.map((frame) => frame.message?.payload))).toEqual([
      ["for a"],
      ["for a"],
      ["for a"],
      [],
    ]);
    await Promise.all(subscribers.map((client) => client.close()));
  });

  test("last_n replays the newest messages, oldest first, a hundred at the most", async () => {
    await create("replayed");
    await using client = await Client.connect(server);
    for (let i = 1; i <= 120; i++) await client.publish("replayed", i);
    await client.subscribe("replayed", "three", 3);
    expect((await client.take(3)).map((frame) => frame.message?.payload)).toEqual([118, 119, 120]);
    await client.subscribe("replayed", "all", 1000);
    const all = await client.take(100);
    expect(all.map((frame) => frame.message?.payload)).toEqual(Array.from({ length: 100 }, (_, i) => 21 + i));
    expect(await client.settle()).toEqual([]);
    await client.subscribe("replayed", "none", 0);
    expect(await client.settle()).toEqual([]);
  });

  test("the sequence diagram plays out as drawn", async () => {
    await create("topic-A");
    await using sub1 = await Client.connect(server);
    await using sub2 = await Client.connect(server);
    await using pub = await Client.connect(server);
    await sub1.subscribe("topic-A", "sub1");
    await sub2.subscribe("topic-A", "sub2");
    await pub.publish("topic-A", "M1");
    expect((await sub1.next()).message?.payload).toBe("M1");
    expect((await sub2.next()).message?.payload).toBe("M1");
    expect(await sub1.ask({ type: "unsubscribe", topic: "topic-A", client_id: "sub1" })).toMatchObject({ type: "ack" });
    await pub.publish("topic-A", "M2");
    expect((await sub2.next()).message?.payload).toBe("M2");
    expect(await sub1.settle()).toEqual([]);
    expect(await sub1.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  });

  test("a subscriber that closes is gone from the counts at once", async () => {
    await create("left");
    const client = await Client.connect(server);
    await client.subscribe("left", "one");
    await client.close();
    await using other = await Client.connect(server);
    await other.settle();
    expect((await stats(server))["left"]).toEqual({ messages: 0, subscribers: 0 });
  });

  test("an invalid UUID is refused with a clear error, and the connection lives", async () => {
    await create("checked");
    await using client = await Client.connect(server);
    const frame = { type: "publish", topic: "checked", message: { id: "not-a-uuid", payload: 1 }, request_id: 7 };
    expect(await client.ask(frame)).toMatchObject({
      type: "error",
      request_id: 7,
      topic: "checked",
      error: { code: "BAD_REQUEST", message: "message.id must be a valid UUID" },
    });
    expect(await client.publish("checked", 1)).toMatchObject({ type: "ack" });
  });

  test("heartbeats reach every client", async () => {
    await using beating = startTestServer({ HEARTBEAT_INTERVAL_MS: "20" });
    await using client = await Client.connect(beating);
    expect(await client.next()).toEqual({ type: "info", msg: "ping", ts: expect.stringMatching(ISO) });
    expect(await client.next()).toMatchObject({ type: "info", msg: "ping" });
  });

  test("concurrent creation of one topic succeeds once", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => create("raced")));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409, 409, 409]);
  });

  test("state is not kept across restarts", async () => {
    await using first = startTestServer();
    await fetch(`${first.url}/topics`, { method: "POST", body: '{"name":"kept?"}' });
    await first.stop();
    await using second = startTestServer();
    expect(await (await fetch(`${second.url}/topics`)).json()).toEqual({ topics: [] });
  });
});
