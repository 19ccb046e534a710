import { describe, expect, test } from "bun:test";
import { topicDetail, history, problemOf, publishBody, topicUrl, type TopicDetail } from "../support/answers.ts";
import { Client } from "../support/client.ts";
import { EventStream } from "../support/event-stream.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTopic, deleteTopic, startTestServer } from "../support/server.ts";

const LARGE = "x".repeat(150_000);
const EMPTY = { messages: 0, bytes: 0 };

type Server = { url: string };
type Subscriber = TopicDetail["subscribers"][number];

/** What topic "t" tells of its one subscriber. */
async function onlySubscriber(server: Server): Promise<Subscriber> {
  const { subscribers } = await topicDetail(server, "t");
  const [subscriber, ...more] = subscribers;
  if (subscriber === undefined || more.length > 0) throw new Error(`Not one subscriber: ${subscribers.length}`);
  return subscriber;
}

/** Asks until topic "t" tells what is wanted of it. */
async function awaitDetail(server: Server, holds: (found: TopicDetail) => boolean): Promise<TopicDetail> {
  for (;;) {
    const found = await topicDetail(server, "t");
    if (holds(found)) return found;
  }
}

const ids = ({ subscribers }: TopicDetail) => subscribers.map(({ client_id }) => client_id);

/** Publishes until "slow" has lost something, and then a little more. Returns how many that were. */
async function overwhelm(server: Server): Promise<number> {
  let count = 0;
  const publishSome = async () => {
    const { seq } = await publishBody(server, "t", { messages: Array.from({ length: 6 }, () => ({ payload: LARGE })) });
    count = seq;
  };
  while ((await onlySubscriber(server)).dropped === 0) await publishSome();
  await publishSome();
  return count;
}

describe("GET /topics/{name}", () => {
  test("of a new topic tells its position and that it has nothing", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const { epoch, ...rest } = await topicDetail(server, "t");
    expect(epoch).toMatch(/^[0-9a-f]{12}$/);
    const ledger = { due: 0, delivered: 0, dropped: {}, queued: 0, unflushed: 0 };
    const none = { subscribers_total: 0, subscribers: [] };
    expect(rest).toEqual({ topic: "t", seq: 0, oldest_seq: 1, history: EMPTY, ledger, ...none });
  });

  test("tells the same position as acks and history do", async () => {
    await using server = startTestServer({ MAX_HISTORY: "3" });
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    const { epoch } = await client.publish("t", 1);
    for (let i = 2; i <= 8; i++) await publishBody(server, "t", { payload: i });
    const { messages, ...position } = await history(server, "t");
    const found = await topicDetail(server, "t");
    expect(found).toMatchObject({ ...position, epoch, seq: 8, oldest_seq: 6, history: { messages: messages.length } });
    expect(messages).toHaveLength(3);
  });

  test("tells what history takes of memory, more than its events' own bytes", async () => {
    await using server = startTestServer({ MAX_HISTORY: "3", MAX_SUBSCRIBER_QUEUE: "1" });
    await createTopic(server, "t");
    for (let i = 0; i < 9; i++) await publishBody(server, "t", { payload: "x".repeat(1000) });
    const { bytes } = (await topicDetail(server, "t")).history;
    expect(bytes).toBeGreaterThan(3 * 1000);
    expect(bytes).toBeLessThan(4 * 1400);
  });

  test("begins anew when the topic is created again", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await publishBody(server, "t", { payload: 1 });
    const before = await topicDetail(server, "t");
    await deleteTopic(server, "t");
    await createTopic(server, "t");
    const after = await topicDetail(server, "t");
    expect(after).toMatchObject({ seq: 0, oldest_seq: 1, history: EMPTY });
    expect(after.epoch).not.toBe(before.epoch);
  });

  test("lists each subscriber, whatever it is connected by, from the moment it is one until it is none", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await createTopic(server, "other");
    const before = Date.now();
    const client = await Client.connect(server);
    await client.subscribe("t", "b");
    await client.subscribe("t", `"a"\u2028`);
    await client.subscribe("other", "elsewhere");
    const stream = await EventStream.open(topicUrl(server, "t", "/events?client_id=s"));
    expect((await stream.next()).type).toBe("subscribed");
    const after = Date.now();
    while (Date.now() === after) await Bun.sleep(0);
    const { subscribers } = await topicDetail(server, "t");
    const idle = { queued: 0, dropped: 0 };
    expect(subscribers).toMatchObject([
      { client_id: `"a"\u2028`, transport: "websocket", ...idle },
      { client_id: "b", transport: "websocket", ...idle },
      { client_id: "s", transport: "sse", ...idle },
    ]);
    for (const { connected_since } of subscribers) {
      expect(Date.parse(connected_since)).toBeGreaterThanOrEqual(before);
      expect(Date.parse(connected_since)).toBeLessThanOrEqual(after);
    }
    expect(subscribers[0]?.connected_since).toBe(subscribers[1]?.connected_since ?? "");

    await client.ask({ type: "unsubscribe", topic: "t", client_id: "b" });
    expect(ids(await topicDetail(server, "t"))).toEqual([`"a"\u2028`, "s"]);
    await stream[Symbol.asyncDispose]();
    await awaitDetail(server, (found) => ids(found).length === 1);
    await client.close();
    expect(ids(await awaitDetail(server, (found) => ids(found).length === 0))).toEqual([]);
  });

  test("tells of who holds an id now, where it was taken over", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await client.subscribe("t", "me");
    expect((await onlySubscriber(server)).transport).toBe("websocket");
    await using stream = await EventStream.open(topicUrl(server, "t", "/events?client_id=me"));
    await stream.next();
    expect((await onlySubscriber(server)).transport).toBe("sse");
    expect(await client.next()).toMatchObject({ msg: "subscription_replaced" });
  });

  test("counts for one who reads nothing queued as queued and dropped, until all was read and told", async () => {
    await using server = startTestServer({ MAX_SUBSCRIBER_QUEUE: "5" });
    await createTopic(server, "t");
    const slow = await RawClient.subscribe(server, "slow");
    const count = await overwhelm(server);
    const { queued, dropped } = await onlySubscriber(server);
    expect(queued).toBe(5);
    expect(dropped).toBeLessThan(count - queued);
    // It is told all of it, and what is published now is beside it.
    const frames = await slow.readUntil((all) => all.at(-1)?.seq === count);
    const told = frames.reduce((sum, { error }) => sum + (error?.dropped ?? 0), 0);
    const events = frames.filter(({ type }) => type === "event").length;
    expect([told, events]).toEqual([dropped, count - dropped]);
    expect(await onlySubscriber(server)).toMatchObject({ queued: 0, dropped });
    slow.cut();
  });

  test("counts no more than a shorter queue that was asked for", async () => {
    await using server = startTestServer({ MAX_SUBSCRIBER_QUEUE: "5" });
    await createTopic(server, "t");
    const slow = await RawClient.subscribe(server, "slow", { queue: 2 });
    await overwhelm(server);
    expect((await onlySubscriber(server)).queued).toBe(2);
    slow.cut();
  });

  test("counts for one who wants the latest only one as queued, and what it jumps over as dropped", async () => {
    await using server = startTestServer({ MAX_SUBSCRIBER_QUEUE: "5" });
    await createTopic(server, "t");
    const slow = await RawClient.subscribe(server, "slow", { overflow: "latest" });
    const count = await overwhelm(server);
    const { queued, dropped } = await onlySubscriber(server);
    expect(queued).toBe(1);
    const frames = await slow.readUntil((all) => all.at(-1)?.seq === count);
    expect(frames.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(frames.filter(({ type }) => type === "event")).toHaveLength(count - dropped);
    expect(await onlySubscriber(server)).toMatchObject({ queued: 0, dropped });
    slow.cut();
  });

  test("counts a replay that is not read as queued, beside the queue", async () => {
    await using server = startTestServer({ MAX_SUBSCRIBER_QUEUE: "5" });
    await createTopic(server, "t");
    for (let i = 0; i < 16; i++) {
      await publishBody(server, "t", { messages: Array.from({ length: 6 }, () => ({ payload: LARGE })) });
    }
    const slow = await RawClient.connect(server);
    slow.send({ type: "subscribe", topic: "t", client_id: "slow", last_n: 96 });
    const { subscribers } = await awaitDetail(server, (found) => ids(found).length === 1);
    expect(subscribers[0]?.queued).toBeGreaterThan(5);
    await publishBody(server, "t", { messages: Array.from({ length: 6 }, (_, payload) => ({ payload })) });
    expect(await onlySubscriber(server)).toMatchObject({ dropped: 1 });
    const frames = await slow.readUntil((all) => all.at(-1)?.seq === 102);
    expect(frames.filter(({ type }) => type === "event")).toHaveLength(96 + 5);
    expect(await onlySubscriber(server)).toMatchObject({ queued: 0, dropped: 1 });
    slow.cut();
  });

  test.each(["a/b", "naïve 😀", "a%2Fb", "a b+c", "?#&=", `"`, ":name", "__proto__", "x".repeat(255)])(
    "takes the name percent-encoded: %s",
    async (name) => {
      await using server = startTestServer();
      await createTopic(server, name);
      expect((await topicDetail(server, name)).topic).toBe(name);
    },
  );

  test("of a topic that does not exist answers 404", async () => {
    await using server = startTestServer();
    for (const name of ["none", "__proto__", "constructor", "x".repeat(256)]) {
      expect(await problemOf(await fetch(topicUrl(server, name)))).toMatchObject({
        status: 404,
        code: "TOPIC_NOT_FOUND",
        detail: `Topic '${name}' not found`,
      });
    }
  });

  test("to HEAD answers the same, without a body, and 404 where there is none", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const head = (name: string) => fetch(topicUrl(server, name), { method: "HEAD" });
    const { status, headers } = await head("t");
    const text = await (await fetch(topicUrl(server, "t"))).text();
    expect([status, headers.get("content-length")]).toEqual([200, String(text.length)]);
    expect((await head("none")).status).toBe(404);
  });
});

describe("GET /topics/{name}, of many subscribers,", () => {
  /** A server whose topic "t" has as many subscribers, all of one connection. */
  async function withSubscribers(count: number) {
    const server = startTestServer({ TOPICS: "t", MAX_SUBSCRIPTIONS_PER_CONNECTION: String(count) });
    const client = await Client.connect(server);
    for (let i = 0; i < count; i++) client.send({ type: "subscribe", topic: "t", client_id: `${i}` });
    await client.settle();
    const page = (query: string) => topicDetail(server, "t", query);
    return { server, client, page, all: Array.from({ length: count }, (_, i) => `${i}`).sort() };
  }

  test("lists a thousand, with the total, and the others page by page, in the order of their ids", async () => {
    const { server, client, page, all } = await withSubscribers(2500);
    await using _server = server;
    await using _client = client;
    const listed: string[] = [];
    for (let query = "", pages = 1; ; pages++) {
      const found = await page(query);
      expect(found.subscribers_total).toBe(2500);
      listed.push(...ids(found));
      if (ids(found).length < 1000) {
        expect([pages, ids(found).length]).toEqual([3, 500]);
        break;
      }
      query = `?after=${listed.at(-1)}`;
    }
    expect(listed).toEqual(all);
  });

  test("lists as many as are asked for, after one that may be gone", async () => {
    const { server, client, page, all } = await withSubscribers(30);
    await using _server = server;
    await using _client = client;
    expect(ids(await page("?limit=3"))).toEqual(all.slice(0, 3));
    expect(ids(await page(`?limit=3&after=${all[2]}`))).toEqual(all.slice(3, 6));
    await client.ask({ type: "unsubscribe", topic: "t", client_id: all[2] });
    expect(ids(await page(`?limit=3&after=${all[2]}`))).toEqual(all.slice(3, 6));
    expect(ids(await page(`?after=${all.at(-1)}`))).toEqual([]);
    expect((await page("?limit=1")).subscribers_total).toBe(29);
  });

  test.each(["0", "1001", "-1", "1.5", "x"])("refuses limit=%s", async (limit) => {
    await using server = startTestServer({ TOPICS: "t" });
    const { code, detail } = await problemOf(await fetch(topicUrl(server, "t", `?limit=${limit}`)));
    expect([code, detail]).toEqual(["BAD_REQUEST", "'limit' must be an integer from 1 to 1000"]);
  });
});
