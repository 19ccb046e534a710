import { expect, test } from "bun:test";
import { range } from "../support/account.ts";
import { Client, ID } from "../support/client.ts";
import type { Frame } from "../support/frames.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTopic, deleteTopic, health, startTestServer } from "../support/server.ts";
import { turn } from "../support/turn.ts";

const big = (bytes: number) => "x".repeat(bytes);
const seqs = (frames: Frame[]) => frames.filter(({ type }) => type === "event").map(({ seq }) => seq);
const newestIs = (last: number) => (frames: Frame[]) =>
  frames.some(({ seq, type }) => type === "event" && seq === last);

/** Publishes from `client` and waits for each ack, so that the server is never more than one message ahead. */
async function publish(client: Client, topic: string, count: number, payload: string): Promise<void> {
  for (let i = 0; i < count; i++) await client.publish(topic, payload);
}

/** Each number up to `last` must be in an event or in a gap, in order. */
function expectAll(frames: readonly Frame[], last: number): void {
  let next = 1;
  for (const { type, topic, seq, error } of frames) {
    if (type === "event") expect(seq).toBe(next++);
    if (error === undefined) continue;
    const { code, first_seq, last_seq = 0, dropped } = error;
    expect([topic, code, first_seq, dropped]).toEqual(["t", "SLOW_CONSUMER", next, last_seq - next + 1]);
    next = last_seq + 1;
  }
  expect(next).toBe(last + 1);
}

test("a client that never reads disturbs nobody, and is told exactly what it lost once it reads", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  const stalled = await RawClient.connect(server);
  stalled.send({ type: "subscribe", topic: "t", client_id: "stalled" });
  await using healthy = await Client.connect(server);
  await using publisher = await Client.connect(server);
  while ((await health(server)).subscribers < 1) await publisher.settle();
  await healthy.subscribe("t", "healthy");

  const count = 500;
  await publish(publisher, "t", count, big(50_000));
  expect(seqs(await healthy.take(count))).toEqual(range(1, count));

  const frames = await stalled.readUntil(newestIs(count));
  const [ack, ...rest] = frames;
  expect(ack).toMatchObject({ type: "ack", topic: "t" });
  const gaps = rest.filter(({ type }) => type === "error");
  // Usually one; each time that the kernel finds some more room for what it takes, one more.
  expect(gaps.length).toBeGreaterThan(0);
  expectAll(rest, count);
  expect(seqs(rest)[0]).toBe(1);
  expect(seqs(rest).slice(-50)).toEqual(range(count - 49, count));
  stalled.cut();
});

test("a slow reader gets all that it asked for as replay, whatever is published meanwhile", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  await using publisher = await Client.connect(server);
  await publish(publisher, "t", 100, big(100_000));

  const slow = await RawClient.connect(server);
  slow.send({ type: "subscribe", topic: "t", client_id: "slow", last_n: 100 });
  while ((await health(server)).subscribers < 1) await publisher.settle();
  await publish(publisher, "t", 200, "meanwhile");

  const frames = await slow.readUntil(newestIs(300));
  expect(seqs(frames)).toEqual([...range(1, 100), ...range(251, 300)]);
  const [gap, ...others] = frames.filter(({ type }) => type === "error");
  expect(others).toEqual([]);
  expect(gap).toMatchObject({ error: { code: "SLOW_CONSUMER", dropped: 150, first_seq: 101, last_seq: 250 } });
  expect(frames.findIndex(({ type }) => type === "error")).toBe(101);
  slow.cut();
});

test("a burst longer than the queue loses nothing for one who reads", async () => {
  await using server = startTestServer({ MAX_SUBSCRIBER_QUEUE: "3", MAX_HISTORY: "0" });
  await createTopic(server, "t");
  await using client = await Client.connect(server);
  await client.subscribe("t", "one");
  await using publisher = await Client.connect(server);
  const frame = JSON.stringify({ type: "publish", topic: "t", message: { id: ID, payload: 1 } });
  for (let i = 0; i < 1000; i++) publisher.send(frame);
  expect(seqs(await client.take(1000))).toEqual(range(1, 1000));
});

test("three publishers and three subscribers: all see one and the same order, and their own ack first", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => Client.connect(server)));
  const each = 1500;
  for (const [i, client] of clients.slice(0, 4).entries()) await client.subscribe("t", `c${i}`);
  // The fourth subscribes and publishes, the fifth and sixth only publish.
  const publishers = clients.slice(3);
  for (let n = 1; n <= each; n++) {
    for (const [p, client] of publishers.entries()) {
      client.send({ type: "publish", topic: "t", message: { id: ID, payload: [p, n] }, request_id: n });
    }
    if (n % 50 === 0) await turn();
  }
  const orders: string[][] = [];
  for (const client of clients.slice(0, 3)) {
    const events = await client.take(3 * each);
    expect(seqs(events)).toEqual(range(1, 3 * each));
    orders.push(events.map(({ message }) => JSON.stringify(message?.payload)));
  }
  expect(orders[1]).toEqual(orders[0] ?? []);
  expect(orders[2]).toEqual(orders[0] ?? []);
  for (const p of [0, 1, 2]) {
    const own = (orders[0] ?? []).filter((payload) => payload.startsWith(`[${p},`));
    expect(own).toEqual(range(1, each).map((n) => `[${p},${n}]`));
  }
  const both = await clients[3]?.take(4 * each);
  const acked = new Set<unknown>();
  for (const { type, request_id, message } of both ?? []) {
    if (type === "ack") acked.add(request_id);
    else if (Array.isArray(message?.payload) && message.payload[0] === 0) expect(acked).toContain(message.payload[1]);
  }
  expect(acked.size).toBe(each);
  await Promise.all(clients.map((client) => client.close()));
});

test("what is queued for a stalled client is reported as lost when its topic is deleted", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  const stalled = await RawClient.connect(server);
  stalled.send({ type: "subscribe", topic: "t", client_id: "stalled" });
  await using publisher = await Client.connect(server);
  while ((await health(server)).subscribers < 1) await publisher.settle();
  await publish(publisher, "t", 200, big(50_000));
  await deleteTopic(server, "t");
  const frames = await stalled.readUntil(() => stalled.close !== undefined);
  expectAll(frames, 200);
  expect(frames.slice(-2)).toMatchObject([
    { type: "error", error: { code: "SLOW_CONSUMER", last_seq: 200 } },
    { type: "info", msg: "topic_deleted" },
  ]);
  expect(stalled.close).toEqual({ code: 4404, reason: "topic deleted" });
});
