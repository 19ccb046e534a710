import { expect, test } from "bun:test";
import { Client, ID } from "../support/client.ts";
import { metrics, until } from "../support/stats.ts";
import { topicDetail } from "../support/answers.ts";
import { RawClient } from "../support/raw-client.ts";
import { encodeClientFrame } from "../support/websocket-frames.ts";
import { createTopic, startTestServer } from "../support/server.ts";

const COUNT = 20_000;
const BUDGET_BYTES = 1_048_576;
const CLOSE_OPCODE = 8;
const NORMAL = Buffer.from([0x03, 0xe8]);

function publishes(topic: string, count: number, requestId?: string): Buffer {
  const one = { type: "publish", topic, message: { id: ID, payload: "x".repeat(100) }, request_id: requestId };
  return Buffer.concat(Array<Buffer>(count).fill(encodeClientFrame(JSON.stringify(one))));
}

const seqOf = async (server: { url: string }, topic: string) => (await topicDetail(server, topic)).seq;

/** Waits until the server hears no more of what was sent. Returns the newest `seq` of the topic. */
async function standstill(server: { url: string }, topic: string, healthy: Client): Promise<number> {
  let [before, now] = [-1, await seqOf(server, topic)];
  while (now > before) {
    for (let i = 0; i < 50; i++) await healthy.settle();
    [before, now] = [now, await seqOf(server, topic)];
  }
  return now;
}

const PAUSED = /WARN +a client does not read its answers: it is read no further until it does transport=websocket/;

test("who publishes 20,000 messages, reads no ack and says goodbye has them all published", async () => {
  await using server = startTestServer({ LOG_LEVEL: "warn" });
  await createTopic(server, "t");
  const raw = await RawClient.connect(server);
  raw.socket.write(publishes("t", COUNT));
  raw.socket.write(encodeClientFrame(NORMAL, CLOSE_OPCODE));
  await until(async () => (await metrics(server)).get('pubsub_connections{transport="websocket"}') === 0);
  expect(await seqOf(server, "t")).toBe(COUNT);
  expect(server.lines).toEqual([]);
  raw.cut();
});

test("several who read no acks are not listened to beyond what all may leave unread; others are, and they go on", async () => {
  await using server = startTestServer({ LOG_LEVEL: "warn", UNREAD_ANSWER_BYTES: String(BUDGET_BYTES) });
  const topics = ["a", "b", "c"];
  for (const topic of [...topics, "other"]) await createTopic(server, topic);
  const requestId = "r".repeat(200);
  const flooders = await Promise.all(topics.map(() => RawClient.connect(server)));
  for (const [index, raw] of flooders.entries()) raw.socket.write(publishes(topics[index] ?? "", COUNT, requestId));
  await using healthy = await Client.connect(server);
  await using subscriber = await Client.connect(server);
  await subscriber.subscribe("other", "me");
  for (const topic of topics) expect(await standstill(server, topic, healthy), topic).toBeWithin(1, COUNT);
  expect(server.lines.length).toBeGreaterThan(0);
  for (const line of server.lines) expect(line).toMatch(PAUSED);

  for (let n = 1; n <= 100; n++) {
    expect(await healthy.publish("other", n)).toMatchObject({ seq: n });
    expect(await subscriber.next()).toMatchObject({ type: "event", seq: n });
  }

  for (const [index, raw] of flooders.entries()) {
    const acks = await raw.readUntil(({ length }) => length === COUNT);
    expect(acks.map(({ seq }) => seq)).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1));
    expect(await seqOf(server, topics[index] ?? "")).toBe(COUNT);
    raw.cut();
  }
});

test("what was left unread counts no more once it was read, or its client is gone", async () => {
  await using server = startTestServer({ UNREAD_ANSWER_BYTES: String(BUDGET_BYTES) });
  await createTopic(server, "t");
  await using healthy = await Client.connect(server);
  const requestId = "r".repeat(200);
  /** How many publishes of one who reads no acks are done before it is paused, and what becomes of it then. */
  const flood = async (end: (raw: RawClient) => Promise<void>) => {
    const before = await seqOf(server, "t");
    const raw = await RawClient.connect(server);
    raw.socket.write(publishes("t", COUNT, requestId));
    const after = await standstill(server, "t", healthy);
    await end(raw);
    raw.cut();
    await until(async () => (await metrics(server)).get('pubsub_connections{transport="websocket"}') === 1);
    return after - before;
  };
  const hangUp = async () => {};
  const read = async (raw: RawClient) => void (await raw.readUntil(({ length }) => length === COUNT));
  const done: number[] = [];
  for (const end of [hangUp, hangUp, read, read, hangUp]) done.push(await flood(end));
  // Each has the whole budget: what the kernel takes beside it varies less.
  const acksOfBudget = BUDGET_BYTES / (requestId.length + 130);
  expect(Math.min(...done)).toBeGreaterThan(Math.max(...done) - acksOfBudget / 2);
  expect(Math.max(...done)).toBeLessThan(COUNT);
});
