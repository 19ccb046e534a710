import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ANSWERS } from "../../../src/protocol/sent-schema.ts";
import { history, post, problemOf, publishBody, topicDetail, topicUrl } from "../../support/answers.ts";
import { range } from "../../support/account.ts";
import { Client, ID } from "../../support/client.ts";
import { TestCredentials } from "../../support/credentials.ts";
import { EventStream } from "../../support/event-stream.ts";
import { overRedis, withoutRedis } from "../../support/redis.ts";
import { createTopic, deleteTopic, health, startGuardedServer, startTestServer, stats } from "../../support/server.ts";
import { until } from "../../support/stats.ts";

/** Two nodes that share their topics. */
function startTwo(env: Record<string, string> = {}) {
  const shared = { ...overRedis(), ...env };
  const [one, two] = [startTestServer(shared), startTestServer(shared)];
  const dispose = async () => void (await Promise.all([one.stop(), two.stop()]));
  return { one, two, [Symbol.asyncDispose]: dispose };
}

const subscribersAt = async (server: { url: string }, topic: string) => (await stats(server))[topic]?.subscribers;

describe.skipIf(withoutRedis)("several nodes", () => {
  test("have one order, and each publisher its ack before its own event, wherever they publish and subscribe", async () => {
    await using nodes = startTwo({ TOPICS: "t" });
    const clients = await Promise.all([nodes.one, nodes.two, nodes.one, nodes.two].map((node) => Client.connect(node)));
    for (const [index, client] of clients.entries()) await client.subscribe("t", `c${index}`);
    const each = 300;
    for (let n = 1; n <= each; n++) {
      for (const [p, client] of clients.entries()) {
        client.send({ type: "publish", request_id: n, topic: "t", message: { id: ID, payload: [p, n] } });
      }
      if (n % 20 === 0) await Bun.sleep(1);
    }
    const orders: string[] = [];
    for (const [own, client] of clients.entries()) {
      const acked = new Set<unknown>();
      const seen: string[] = [];
      for (const frame of await client.take(5 * each)) {
        if (frame.type === "ack") acked.add(frame.request_id);
        if (frame.type !== "event") continue;
        seen.push(JSON.stringify([frame.seq, frame.message.payload]));
        const { payload } = frame.message;
        if (Array.isArray(payload) && payload[0] === own) expect(acked).toContain(payload[1]);
      }
      orders.push(seen.join());
      expect(seen).toHaveLength(4 * each);
    }
    expect(new Set(orders).size).toBe(1);
    for (const client of clients) await client.close();
  });

  test("take a position of each other, as a resume and as a query", async () => {
    await using nodes = startTwo({ TOPICS: "t" });
    await using publisher = await Client.connect(nodes.one);
    const { epoch, seq } = await publisher.publish("t", 1);
    for (let n = 2; n <= 30; n++) await publisher.publish("t", n);
    await using reader = await Client.connect(nodes.two);
    const ack = await reader.ask({ type: "subscribe", topic: "t", client_id: "me", since: `${epoch}:${seq}` });
    expect(ack).toMatchObject({ recovered: true, replay: 29, seq: 30, epoch });
    expect((await reader.take(29)).map(({ message }) => message?.payload)).toEqual(range(2, 30));
    expect((await history(nodes.two, "t", `?since=${epoch}:27`)).messages.map((one) => one.seq)).toEqual([28, 29, 30]);
    await using stream = await EventStream.open(topicUrl(nodes.two, "t", "/events?since=28"));
    expect(JSON.parse((await stream.next()).data)).toMatchObject({ recovered: true, replay: 2 });
  });

  test("acknowledge a subscription behind everything that was acknowledged before, wherever that was", async () => {
    await using nodes = startTwo({ TOPICS: "t" });
    await using publisher = await Client.connect(nodes.one);
    await using reader = await Client.connect(nodes.two);
    await reader.subscribe("t", "first");
    for (let n = 1; n <= 50; n++) {
      const { seq } = await publisher.publish("t", n);
      const ack = await reader.ask({ type: "subscribe", topic: "t", client_id: `c${n}`, request_id: n });
      // Events of the first subscription may come before it.
      let frame = ack;
      while (frame.type !== "ack") frame = await reader.next();
      expect(frame.seq).toBeGreaterThanOrEqual(seq ?? Number.NaN);
    }
  });

  test("create, delete and list topics together", async () => {
    await using nodes = startTwo({ MAX_TOPICS: "2" });
    await createTopic(nodes.one, "b");
    await createTopic(nodes.two, "a");
    const names = async (node: { url: string }) =>
      ANSWERS["GET /topics"].parse(await (await fetch(`${node.url}/topics`)).json()).topics.map(({ name }) => name);
    expect([await names(nodes.one), await names(nodes.two)]).toEqual([
      ["b", "a"],
      ["b", "a"],
    ]);
    const again = await fetch(`${nodes.one.url}/topics`, { method: "POST", body: '{"name":"a"}' });
    expect((await problemOf(again)).code).toBe("TOPIC_EXISTS");
    const third = await fetch(`${nodes.two.url}/topics`, { method: "POST", body: '{"name":"c"}' });
    expect((await problemOf(third)).detail).toContain("MAX_TOPICS is 2");
    await using there = await Client.connect(nodes.one);
    const { epoch } = await there.subscribe("a", "me");
    await publishBody(nodes.two, "a", { payload: 1 });
    await deleteTopic(nodes.two, "a");
    expect((await there.take(2)).map(({ type, msg }) => msg ?? type)).toEqual(["event", "topic_deleted"]);
    expect(await there.closed).toMatchObject({ code: 4404 });
    expect((await problemOf(await post(nodes.one, "a", { payload: 1 }))).code).toBe("TOPIC_NOT_FOUND");
    await createTopic(nodes.one, "a");
    await using back = await Client.connect(nodes.one);
    const ack = await back.ask({ type: "subscribe", topic: "a", client_id: "me", since: `${epoch}:1` });
    expect(ack).toMatchObject({ recovered: false, seq: 0, replay: 0 });
    expect(ack.missed).toBeUndefined();
  });

  test("count subscribers together, and show each with what became of its events", async () => {
    await using nodes = startTwo({ TOPICS: "t" });
    await using one = await Client.connect(nodes.one);
    await using two = await Client.connect(nodes.two);
    await one.subscribe("t", "b");
    await one.subscribe("t", "d");
    await two.subscribe("t", "a");
    await two.subscribe("t", "c");
    await publishBody(nodes.one, "t", { payload: 1 });
    await Promise.all([one.take(2), two.take(2)]);
    for (const node of [nodes.one, nodes.two]) {
      expect(await subscribersAt(node, "t")).toBe(4);
      expect(await health(node)).toMatchObject({ topics: 1, subscribers: 4 });
      const detail = await topicDetail(node, "t");
      expect(detail.subscribers.map(({ client_id }) => client_id)).toEqual(["a", "b", "c", "d"]);
      expect(detail).toMatchObject({ seq: 1, subscribers_total: 4, ledger: { due: 4, delivered: 4 } });
      expect(detail.unanswered).toBeUndefined();
      const page = await topicDetail(node, "t", "?limit=2&after=a");
      expect(page.subscribers.map(({ client_id }) => client_id)).toEqual(["b", "c"]);
    }
    await two.close();
    await until(async () => (await subscribersAt(nodes.one, "t")) === 2);
    expect(await health(nodes.one)).toMatchObject({ subscribers: 2 });
  });

  test("have one subscriber of a client_id: another node takes it over, and the old one is told", async () => {
    await using nodes = startTwo({ TOPICS: "t" });
    await using old = await Client.connect(nodes.one);
    await old.subscribe("t", "me");
    await using fresh = await Client.connect(nodes.two);
    await fresh.subscribe("t", "me");
    expect(await old.next()).toMatchObject({ type: "info", msg: "subscription_replaced", topic: "t" });
    // And back again, and again.
    for (let i = 0; i < 20; i++) {
      const [from, to] = i % 2 === 0 ? [fresh, old] : [old, fresh];
      await to.subscribe("t", "me");
      expect(await from.next()).toMatchObject({ msg: "subscription_replaced" });
    }
    expect(await subscribersAt(nodes.one, "t")).toBe(1);
    await publishBody(nodes.one, "t", { payload: "once" });
    expect(await fresh.next()).toMatchObject({ type: "event" });
    expect(await old.settle()).toEqual([]);
    await fresh.close();
    await until(async () => (await subscribersAt(nodes.one, "t")) === 0);
  });

  test("have a refused subscription change nothing at another node", async () => {
    await using nodes = startTwo({ TOPICS: "t", MAX_SUBSCRIBER_QUEUE: "5" });
    await using holder = await Client.connect(nodes.one);
    await holder.subscribe("t", "me");
    await using other = await Client.connect(nodes.two);
    for (const wish of [{ queue: 6 }, { since: "nothing:1", last_n: 1 }, { since: { epoch: "x", seq: -1 } }]) {
      expect(await other.ask({ type: "subscribe", topic: "t", client_id: "me", ...wish })).toMatchObject({
        type: "error",
      });
    }
    const { epoch } = await topicDetail(nodes.one, "t");
    const ahead = { type: "subscribe", topic: "t", client_id: "me", since: `${epoch}:9` };
    expect(await other.ask(ahead)).toMatchObject({ error: { code: "BAD_REQUEST" } });
    expect(await holder.settle()).toEqual([]);
    expect((await topicDetail(nodes.two, "t")).subscribers_total).toBe(1);
  });

  test("publish again only once what was published with dedupe, wherever that was", async () => {
    await using nodes = startTwo({ TOPICS: "t" });
    const first = await publishBody(nodes.one, "t", { id: ID, payload: 1, dedupe: true });
    await publishBody(nodes.two, "t", { payload: 2 });
    const again = await publishBody(nodes.two, "t", { id: ID.toUpperCase(), payload: 1, dedupe: true });
    expect(again).toMatchObject({ seq: first.seq, epoch: first.epoch, duplicate: true });
    expect((await history(nodes.one, "t")).messages).toHaveLength(2);
  });

  test("refuse together what is too large, by the byte", async () => {
    await using nodes = startTwo({ TOPICS: "t", MAX_MESSAGE_BYTES: "400" });
    const payload = (bytes: number) => "x".repeat(bytes);
    const largest =
      400 -
      JSON.stringify({
        type: "event",
        topic: "t",
        seq: 1,
        ts: new Date().toISOString(),
        message: { id: ID, payload: "" },
      }).length;
    await using reader = await Client.connect(nodes.two);
    await reader.subscribe("t", "me");
    await publishBody(nodes.one, "t", { id: ID, payload: payload(largest) });
    expect((await reader.nextText()).length).toBe(400);
    const problem = await problemOf(await post(nodes.one, "t", { id: ID, payload: payload(largest + 1) }));
    expect(problem).toMatchObject({
      code: "TOO_LARGE",
      detail: "message makes an event of 401 bytes, and MAX_MESSAGE_BYTES is 400",
    });
  });

  test("show themselves", async () => {
    await using nodes = startTwo({ TOPICS: "t" });
    await using client = await Client.connect(nodes.two);
    await client.subscribe("t", "me");
    const nodesOf = async (node: { url: string }) =>
      ANSWERS["GET /nodes"].parse(await (await fetch(`${node.url}/nodes`)).json());
    await until(async () => (await nodesOf(nodes.one)).nodes.length === 2);
    const [one, two] = [await nodesOf(nodes.one), await nodesOf(nodes.two)];
    expect(one.nodes.map(({ id, port }) => [id, port])).toEqual(two.nodes.map(({ id, port }) => [id, port]));
    expect(one.nodes.find(({ id }) => id === one.node)?.port).toBe(nodes.one.port);
    await nodes.two.stop();
    expect((await nodesOf(nodes.one)).nodes.map(({ port }) => port)).toEqual([nodes.one.port]);
    expect(await subscribersAt(nodes.one, "t")).toBe(0);
  });
});

describe.skipIf(withoutRedis)("a client_id of somebody else", () => {
  let credentials: TestCredentials;
  beforeAll(() => void (credentials = new TestCredentials()));
  afterAll(() => credentials[Symbol.dispose]());

  test("is not taken over from another node", async () => {
    const env = { ...overRedis(), ...credentials.env, TOPICS: "t" };
    await using one = await startGuardedServer(env);
    await using two = await startGuardedServer(env);
    const as = async (sub: string) => ({ authorization: `Bearer ${await credentials.token({ sub })}` });
    await using holder = await Client.connect(one, await as("alice"));
    await holder.subscribe("t", "me");
    await using thief = await Client.connect(two, await as("mallory"));
    expect(await thief.ask({ type: "subscribe", topic: "t", client_id: "me" })).toMatchObject({
      error: { code: "FORBIDDEN", message: "client_id 'me' belongs to another credential" },
    });
    await using own = await Client.connect(two, await as("alice"));
    expect(await own.subscribe("t", "me")).toMatchObject({ type: "ack" });
    expect(await holder.next()).toMatchObject({ msg: "subscription_replaced" });
  });
});
