import { describe, expect, test } from "bun:test";
import { connect, PubSubError, type ConnectOptions, type Item } from "../../src/client/index.ts";
import { range } from "../support/account.ts";
import { publishBody } from "../support/answers.ts";
import { Client as RawClient, ID } from "../support/client.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { createTopic, deleteTopic, startTestServer } from "../support/server.ts";

const QUICK: ConnectOptions = { backoff: { firstMs: 20, mostMs: 50 } };

/** A client that is closed at the end of the test, and a list of what it was told. */
function open<T extends object = Record<string, unknown>>(url: string, options: ConnectOptions = {}) {
  const states: string[] = [];
  const errors: unknown[] = [];
  const client = connect<T>(url, {
    ...QUICK,
    onState: (state) => states.push(state),
    onError: (cause) => errors.push(cause),
    ...options,
  });
  return { client, states, errors, [Symbol.asyncDispose]: () => client.close() };
}

async function take<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of items) if (taken.push(item) === count) break;
  return taken;
}

const told = (item: Item) =>
  item.type === "event" ? item.payload : `${item.first_seq}-${item.last_seq} ${item.reason}`;
/** Resolves once `isDone`, which the events of the client make true. */
async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await Bun.sleep(1);
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "resolved",
    (cause: unknown) => (cause instanceof PubSubError ? cause.code : cause),
  );

describe("Client", () => {
  test("publishes and subscribes, asked before there is a connection", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    await using one = open<{ t: number }>(server.url);
    const subscription = one.client.subscribe("t", { last: 5 });
    const published = one.client.publish("t", 1);
    const [event] = await take(subscription, 1);
    const { epoch, seq, ts, ids, ...rest } = await published;
    expect(event).toEqual({ type: "event", topic: "t", epoch, seq, ts, id: ids[0] ?? "", payload: 1 });
    expect(rest).toEqual({ topic: "t", first_seq: 1, duplicate: false });
    expect(one.states).toEqual(["connecting", "connected"]);
    expect(subscription.state).toBe("ended");
    expect(subscription.position).toEqual({ epoch, seq });
  });

  test("publishes a batch, under the ids that it is given", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    await using one = open<{ t: number }>(server.url);
    const published = await one.client.publishBatch("t", [{ payload: 1, id: ID }, { payload: 2 }]);
    expect(published).toMatchObject({ first_seq: 1, seq: 2, ids: [ID, expect.any(String)] });
    const { events, more, oldest_seq } = await one.client.history("t", { last: 5 });
    expect({ payloads: events.map(({ payload }) => payload), more, oldest_seq }).toEqual({
      payloads: [1, 2],
      more: false,
      oldest_seq: 1,
    });
    expect(await one.client.publishBatch("t", [{ payload: 1, id: ID }])).toMatchObject({ seq: 1, duplicate: true });
  });

  test("keeps every digit of raw payloads", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    await using one = open<{ t: string }>(server.url, { raw: true });
    const payloads = ["12345678901234567890", "1.10", '{"b":1,"a":[1e400,"\\u0041"]}', '"\\n"', "null"];
    const subscription = one.client.subscribe("t");
    for (const payload of payloads) await one.client.publish("t", payload);
    expect((await take(subscription, payloads.length)).map(told)).toEqual(payloads);
    const { events } = await one.client.history("t");
    expect(events.map(({ payload }) => payload)).toEqual(payloads);
  });

  test("rejects what the server refuses, and what is no JSON", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    await using one = open(server.url);
    expect(await codeOf(one.client.publish("nowhere", 1))).toBe("TOPIC_NOT_FOUND");
    expect(await codeOf(one.client.publish("t", 1, { id: "no id" }))).toBe("BAD_REQUEST");
    expect(await codeOf(one.client.publishBatch("t", []))).toBe("BAD_REQUEST");
    expect(await codeOf(one.client.publish("t", undefined))).toBeInstanceOf(TypeError);
    expect(await codeOf(one.client.publish("t", 1n))).toBeInstanceOf(TypeError);
    expect(await codeOf(one.client.history("nowhere"))).toBe("TOPIC_NOT_FOUND");
    expect(one.client.pending).toBe(0);
    expect(one.errors).toEqual([]);
  });

  test("goes on after a frame that is too large, which it rejects", async () => {
    await using server = startTestServer({ TOPICS: "t", MAX_MESSAGE_BYTES: "1000" });
    await using one = open(server.url);
    const large = codeOf(one.client.publish("t", "x".repeat(2000)));
    const small = one.client.publish("t", "x");
    expect(await large).toBe("TOO_LARGE");
    expect(await small).toMatchObject({ seq: 1 });
  });

  test("says when its queue is full, by number and by size", async () => {
    const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const url = `http://127.0.0.1:${free.port}`;
    free.stop(true);
    await using few = open(url, { maxPending: 2 });
    await using small = open(url, { maxPendingCharacters: 400 });
    const waiting = [
      few.client.publish("t", 1),
      few.client.publish("t", 2),
      small.client.publish("t", "x".repeat(200)),
    ].map(codeOf);
    expect(await codeOf(few.client.publish("t", 3))).toBe("QUEUE_FULL");
    expect(await codeOf(small.client.publish("t", "x".repeat(200)))).toBe("QUEUE_FULL");
    await few.client.close();
    await small.client.close();
    expect(await Promise.all(waiting)).toEqual(["CLOSED", "CLOSED", "CLOSED"]);
    expect(await codeOf(few.client.publish("t", 4))).toBe("CLOSED");
    expect(() => few.client.subscribe("t")).toThrow(PubSubError);
  });

  test("calls back, and whatever a callback throws goes to onError and no further", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    await using one = open<{ t: number }>(server.url);
    const payloads: number[] = [];
    const states: string[] = [];
    one.client.subscribe("t", {
      onEvent: ({ payload }) => {
        payloads.push(payload);
        if (payload === 1) throw new Error("thrown");
        if (payload === 2) return Promise.reject(new Error("rejected"));
        return undefined;
      },
      onState: (state) => states.push(state),
    });
    for (const payload of [1, 2, 3]) await one.client.publish("t", payload);
    await one.client.flush();
    await until(() => payloads.length === 3);
    expect(payloads).toEqual([1, 2, 3]);
    expect(one.errors).toEqual([new Error("thrown"), new Error("rejected")]);
    expect(states).toEqual(["live"]);
  });

  test("comes back after its connection was cut, and goes on where it was", async () => {
    await using server = startTestServer({ TOPICS: "t", MAX_HISTORY: "10" });
    using proxy = new CuttingProxy(server);
    await using one = open<{ t: number }>(proxy.url);
    const items: unknown[] = [];
    const states: string[] = [];
    const subscription = one.client.subscribe("t", {
      onEvent: (event) => items.push(told(event)),
      onGap: (gap) => items.push(told(gap)),
      onState: (state) => states.push(state),
    });
    await one.client.publish("t", 1);
    proxy.refuse();
    proxy.cut();
    for (const payload of range(2, 5)) await publishBody(server, "t", { payload });
    const waiting = one.client.publish("t", 6);
    proxy.admit();
    await waiting;
    await until(() => items.length >= 6);
    expect(items).toEqual(range(1, 6));
    proxy.refuse();
    proxy.cut();
    for (const payload of range(7, 20)) await publishBody(server, "t", { payload });
    proxy.admit();
    await one.client.publish("t", 21);
    await until(() => items.at(-1) === 21);
    expect(items).toEqual([...range(1, 6), "7-10 missed", ...range(11, 21)]);
    expect(subscription.position).toMatchObject({ seq: 21 });
    expect(states).toEqual(["live", "waiting", "live", "waiting", "live"]);
  });

  test("begins after a position, as an object or as text", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    await using one = open<{ t: number }>(server.url);
    const { epoch } = await one.client.publish("t", 1);
    for (const payload of [2, 3]) await one.client.publish("t", payload);
    for (const since of [{ epoch, seq: 1 }, `${epoch}:1`]) {
      expect((await take(one.client.subscribe("t", { since }), 2)).map(told)).toEqual([2, 3]);
    }
    expect(() => one.client.subscribe("t", { since: "nothing" })).toThrow(TypeError);
  });

  test("tells of a topic's other life that what came in the old one is not known", async () => {
    await using server = startTestServer({ TOPICS: "t", MAX_HISTORY: "2" });
    await using one = open<{ t: number }>(server.url);
    for (const payload of range(1, 5)) await one.client.publish("t", payload);
    const subscription = one.client.subscribe("t", { since: "old:7" });
    expect((await take(subscription, 4)).map(told)).toEqual(["8-undefined epoch", "1-3 missed", 4, 5]);
  });

  test.each([
    ["the topic is deleted", "TOPIC_DELETED"],
    ["another connection takes it over", "REPLACED"],
    ["the topic is not there", "TOPIC_NOT_FOUND"],
    ["the queue is too long", "LIMIT_EXCEEDED"],
  ])("ends a subscription when %s, and says so", async (_, code) => {
    await using server = startTestServer({ TOPICS: "t" });
    await using one = open(server.url);
    const name = code === "TOPIC_NOT_FOUND" ? "nowhere" : "t";
    const queue = code === "LIMIT_EXCEEDED" ? 51 : undefined;
    const subscription = one.client.subscribe(name, { clientId: "me", queue });
    const items: unknown[] = [];
    const reading = (async () => {
      for await (const item of subscription) items.push(told(item));
    })();
    const end = codeOf(reading);
    const isThere = code === "TOPIC_DELETED" || code === "REPLACED";
    if (isThere) {
      await one.client.publish("t", 1);
      await until(() => items.length === 1);
      expect(subscription.state).toBe("live");
    }
    if (code === "TOPIC_DELETED") await deleteTopic(server, "t");
    await using other = await RawClient.connect(server);
    if (code === "REPLACED") await other.subscribe("t", "me");
    expect(await end).toBe(code);
    expect(items).toEqual(isThere ? [1] : []);
    expect(subscription.state).toBe("ended");
  });

  test("keeps one subscription for a topic, and lets it be made anew once it has ended", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    await using one = open(server.url);
    const first = one.client.subscribe("t");
    expect(() => one.client.subscribe("t")).toThrow(expect.objectContaining({ code: "SUBSCRIBED" }));
    first.close();
    const second = one.client.subscribe("t");
    await one.client.publish("t", 1);
    expect((await take(second, 1)).map(told)).toEqual([1]);
    expect(await take(first, 1)).toEqual([]);
    expect(() => first[Symbol.asyncIterator]()).toThrow(TypeError);
  });

  test("drops what the reader of an iterator does not take, and says which", async () => {
    await using server = startTestServer({ TOPICS: "t,other" });
    await using one = open<{ t: number; other: number }>(server.url);
    const subscription = one.client.subscribe("t", { queue: 3 });
    const settle = () => one.client.publish("other", 0);
    for (const payload of range(1, 10)) await one.client.publish("t", payload);
    await settle();
    expect((await take(subscription, 4)).map(told)).toEqual(["1-7 queue", 8, 9, 10]);
    const latest = one.client.subscribe("t", { queue: 3, overflow: "latest" });
    for (const payload of range(11, 20)) await one.client.publish("t", payload);
    await settle();
    const items = (await take(latest, 2)).map(told);
    expect(items[1]).toBe(20);
    expect(items[0]).toMatch(/^11-19 skipped$/);
    const strict = one.client.subscribe("t", { queue: 3, overflow: "disconnect" });
    for (const payload of range(21, 30)) await one.client.publish("t", payload);
    await settle();
    const taken: unknown[] = [];
    const reading = (async () => {
      for await (const item of strict) taken.push(told(item));
    })();
    expect(await codeOf(reading)).toBe("SLOW_CONSUMER");
    expect(taken).toEqual([21, 22, 23, 24]);
  });

  test("keeps all of a replay for the reader of an iterator, whatever the queue", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    await using one = open<{ t: number }>(server.url);
    for (const payload of range(1, 10)) await one.client.publish("t", payload);
    const subscription = one.client.subscribe("t", { queue: 3, last: 10 });
    await until(() => subscription.state === "live");
    await one.client.publish("t", 11);
    expect((await take(subscription, 11)).map(told)).toEqual(range(1, 11));
  });

  test("tells onError of an end that nobody else is told of, and of no other", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    await using one = open(server.url);
    const told: unknown[] = [];
    one.client.subscribe("nowhere", { onEvent: () => {} });
    one.client.subscribe("elsewhere", { onEvent: () => {}, onState: (state, cause) => told.push(state, cause?.code) });
    const iterated = codeOf(take(one.client.subscribe("no topic"), 1));
    const deleted = one.client.subscribe("t", { onEvent: () => {} });
    await until(() => deleted.state === "live");
    await deleteTopic(server, "t");
    await until(() => one.errors.length === 2);
    expect(one.errors).toMatchObject([{ code: "TOPIC_NOT_FOUND" }, { code: "TOPIC_DELETED" }]);
    expect(told).toEqual(["ended", "TOPIC_NOT_FOUND"]);
    expect(await iterated).toBe("TOPIC_NOT_FOUND");
  });

  test("waits for a topic that comes back after a restart, and says so once", async () => {
    let server = startTestServer({ TOPICS: "t" });
    const { port } = server;
    await using one = open<{ t: number }>(server.url);
    const states: unknown[] = [];
    const items: unknown[] = [];
    one.client.subscribe("t", {
      onEvent: (event) => items.push(told(event)),
      onGap: (gap) => items.push(told(gap)),
      onState: (state, cause) => states.push(cause === undefined ? state : `${state} ${cause.code}`),
    });
    await one.client.publish("t", 1);
    await server.stop();
    server = startTestServer({ PORT: String(port) });
    await until(() => states.includes("waiting TOPIC_NOT_FOUND"));
    expect(await codeOf(one.client.publish("t", 2))).toBe("TOPIC_NOT_FOUND");
    await Bun.sleep(3100);
    await createTopic(server, "t");
    await until(() => states.at(-1) === "live");
    await one.client.publish("t", 3);
    await until(() => items.length === 3);
    expect(items).toEqual([1, "2-undefined epoch", 3]);
    expect(states).toEqual(["live", "waiting", "waiting TOPIC_NOT_FOUND", "live"]);
    await server.stop();
  });
});

test("connect says at once that there is no WebSocket, and takes one that it is given", async () => {
  const own = globalThis.WebSocket;
  Reflect.set(globalThis, "WebSocket", undefined);
  try {
    expect(() => connect("http://127.0.0.1:9")).toThrow(/no WebSocket here/);
    await connect("http://127.0.0.1:9", { WebSocket: own }).close();
  } finally {
    Reflect.set(globalThis, "WebSocket", own);
  }
});
