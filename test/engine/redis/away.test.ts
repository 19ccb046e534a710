import { describe, expect, test } from "bun:test";
import { post, problemOf, publishBody, topicDetail } from "../../support/answers.ts";
import { Client, ID } from "../../support/client.ts";
import { CuttingProxy } from "../../support/cutting-proxy.ts";
import type { Frame } from "../../support/frames.ts";
import { RedisServer, withoutRedis } from "../../support/redis.ts";
import { createTopic, deleteTopic, health, startTestServer, stats, type TestServer } from "../../support/server.ts";
import { metrics, until } from "../../support/stats.ts";

/** A Redis of its own, a line to it that can be cut, and what makes nodes over that. */
async function setUp(env: Record<string, string> = {}) {
  const redis = await RedisServer.start("--appendonly", "yes");
  const line = new CuttingProxy(redis);
  const nodes: TestServer[] = [];
  const start = (more: Record<string, string> = {}) => {
    const settings = {
      ENGINE: `redis://127.0.0.1:${line.port}`,
      ENGINE_TIMEOUT_MS: "300",
      TOPICS: "t",
      LOG_LEVEL: "info",
    };
    const node = startTestServer({ ...settings, ...env, ...more });
    nodes.push(node);
    return node;
  };
  const dispose = async () => {
    for (const node of nodes) await node.stop();
    line[Symbol.dispose]();
    await redis[Symbol.asyncDispose]();
  };
  return { redis, line, start, [Symbol.asyncDispose]: dispose };
}

const readiness = (node: { url: string }) => fetch(`${node.url}/readyz`);
const isReady = async (node: { url: string }) => (await readiness(node)).status === 200;
const payloads = (frames: Frame[]) => frames.flatMap(({ message }) => (message === undefined ? [] : [message.payload]));

/** Frames up to an event with this payload. */
async function takeUntil(client: Client, payload: unknown): Promise<Frame[]> {
  const frames: Frame[] = [];
  do frames.push(await client.next());
  while (frames.at(-1)?.message?.payload !== payload);
  return frames;
}

describe.skipIf(withoutRedis)("Redis that is away", () => {
  test.concurrent(
    "is told at once, by code and reason; subscribers stay, and get what they missed once it is back",
    async () => {
      await using stage = await setUp();
      const [one, two] = [stage.start(), stage.start({ ENGINE: stage.redis.url })];
      await using client = await Client.connect(one);
      await client.subscribe("t", "me");
      stage.line.refuse();
      stage.line.cut();
      await until(async () => !(await isReady(one)));
      const problem = await problemOf(await readiness(one));
      expect(problem).toMatchObject({ status: 503, code: "UNAVAILABLE" });
      expect(problem.detail).not.toBe("");
      // Once it has been away for longer than ENGINE_TIMEOUT_MS, nobody waits.
      await Bun.sleep(400);
      for (const request of [
        { type: "publish", topic: "t", message: { id: ID, payload: 0 } },
        { type: "subscribe", topic: "t", client_id: "other" },
        { type: "unsubscribe", topic: "t", client_id: "other" },
      ]) {
        expect(await client.ask(request)).toMatchObject({
          error: { code: "UNAVAILABLE", message: expect.stringMatching(/was asked nothing/) },
        });
      }
      expect((await problemOf(await post(one, "t", { payload: 0 }))).code).toBe("UNAVAILABLE");
      expect((await problemOf(await fetch(`${one.url}/topics`))).code).toBe("UNAVAILABLE");
      expect((await fetch(`${one.url}/livez`)).status).toBe(200);
      for (let n = 1; n <= 20; n++) await publishBody(two, "t", { payload: n });
      stage.line.admit();
      const frames = await takeUntil(client, 20);
      expect(payloads(frames)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
      expect(frames.every(({ type }) => type === "event")).toBe(true);
      await until(() => isReady(one));
      expect(one.lines.filter((line) => /the engine/.test(line)).map((line) => line.replace(/^\S+ /, ""))).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/^WARN +the engine cannot be reached: trying again connection=requests/),
          expect.stringMatching(/^INFO +the engine is connected again connection=requests/),
          expect.stringMatching(/^INFO +the engine is connected again connection=channels/),
        ]),
      );
      const found = await metrics(one);
      expect(found.get("pubsub_engine_up")).toBe(1);
      expect(found.get("pubsub_engine_reconnects_total")).toBeGreaterThanOrEqual(2);
      expect(found.get("pubsub_engine_messages_filled_total")).toBe(20);
    },
  );

  test.concurrent("is waited for through a short absence, in the order of the requests", async () => {
    await using stage = await setUp({ ENGINE_TIMEOUT_MS: "5000" });
    const node = stage.start();
    await using client = await Client.connect(node);
    await client.subscribe("t", "me");
    stage.line.refuse();
    stage.line.cut();
    await until(async () => !(await isReady(node)));
    for (let n = 1; n <= 30; n++)
      client.send({ type: "publish", topic: "t", message: { id: ID, payload: n }, request_id: n });
    await Bun.sleep(100);
    stage.line.admit();
    const frames = await client.take(60);
    expect(frames.flatMap((frame) => (frame.type === "ack" ? [frame.request_id] : []))).toEqual(
      Array.from({ length: 30 }, (_, i) => i + 1),
    );
    expect(payloads(frames)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  });

  test.concurrent("while it is paused answers nothing twice and nothing never, and goes on by itself", async () => {
    await using stage = await setUp();
    const node = stage.start();
    await using client = await Client.connect(node);
    await client.subscribe("t", "me");
    await stage.redis.signal("SIGSTOP");
    const asked = { type: "publish", topic: "t", message: { id: ID, payload: "paused" } };
    expect(await client.ask(asked)).toMatchObject({
      error: { code: "UNAVAILABLE", message: expect.stringMatching(/is not known/) },
    });
    await stage.redis.signal("SIGCONT");
    await until(() => isReady(node));
    await client.ask({ type: "publish", topic: "t", message: { id: ID, payload: "after" }, ack: false, request_id: 1 });
    // What was under way when it was paused may have been published.
    const seen = payloads([...(await client.settle())]);
    expect(["", "after", "paused,after", "paused"]).toContain(seen.join());
  });

  test.concurrent("bounds what waits for it", async () => {
    await using stage = await setUp({ ENGINE_TIMEOUT_MS: "5000", ENGINE_PENDING_BYTES: "65536" });
    const node = stage.start();
    await using client = await Client.connect(node);
    await client.publish("t", 0);
    await stage.redis.signal("SIGSTOP");
    const large = "x".repeat(10_000);
    for (let n = 0; n < 10; n++)
      client.send({ type: "publish", topic: "t", message: { id: ID, payload: large }, request_id: n });
    await Bun.sleep(50);
    await stage.redis.signal("SIGCONT");
    const answers = await client.take(10);
    const refused = answers.filter(({ type }) => type === "error");
    expect(refused).toHaveLength(4);
    for (const frame of refused) {
      expect(frame).toMatchObject({
        error: { code: "LIMIT_EXCEEDED", message: expect.stringMatching(/^ENGINE_PENDING_BYTES is 65536/) },
      });
    }
    expect(await client.publish("t", "goes on")).toMatchObject({ type: "ack", seq: 8 });
  });

  test.concurrent("that was never there keeps no server from starting, and says why", async () => {
    await using stage = await setUp();
    stage.line.refuse();
    const node = stage.start();
    await until(async () => node.lines.some((line) => /cannot be reached/.test(line)));
    expect(await isReady(node)).toBe(false);
    await using client = await Client.connect(node);
    stage.line.admit();
    await until(() => isReady(node));
    expect(await client.subscribe("t", "me")).toMatchObject({ type: "ack" });
  });

  test.concurrent("that does not let us in is named with its own words", async () => {
    await using redis = await RedisServer.start();
    await redis.send("CONFIG", ["SET", "requirepass", "right"]);
    for (const [user, words] of [
      ["", /NOAUTH|it closed the connection/],
      [":wrong@", /WRONGPASS/],
    ] as const) {
      await using node = startTestServer({ ENGINE: redis.url.replace("//", `//${user}`), LOG_LEVEL: "info" });
      await until(async () => node.lines.some((line) => words.test(line)));
      expect((await problemOf(await readiness(node))).detail).toMatch(words);
      expect(node.lines.join()).not.toContain("wrong@");
    }
    await using node = startTestServer({ ENGINE: redis.url.replace("//", "//:right@"), TOPICS: "t" });
    expect(await publishBody(node, "t", { payload: 1 })).toMatchObject({ seq: 1 });
  });
});

describe.skipIf(withoutRedis)("Redis that is full", () => {
  test.concurrent("refuses to take more, and lets read, subscribe and make room", async () => {
    await using stage = await setUp();
    const { redis } = stage;
    const node = stage.start();
    await createTopic(node, "u");
    await publishBody(node, "t", { payload: 1 });
    await redis.send("CONFIG", ["SET", "maxmemory", "1"]);
    const full = { code: "UNAVAILABLE", detail: expect.stringMatching(/^The engine refuses: OOM/) };
    expect(await problemOf(await post(node, "t", { payload: 2 }))).toMatchObject(full);
    // A node that comes now is let in.
    await using other = startTestServer({ ENGINE: redis.url, TOPICS: "t,u" });
    await until(() => isReady(other));
    await using client = await Client.connect(node);
    expect(await client.subscribe("t", "me", 1)).toMatchObject({ replay: 1 });
    await client.next();
    expect((await topicDetail(node, "t")).subscribers_total).toBe(1);
    await deleteTopic(node, "u");
    await redis.send("CONFIG", ["SET", "maxmemory", "0"]);
    expect(await publishBody(node, "t", { payload: 2 })).toMatchObject({ seq: 2 });
    expect(await client.next()).toMatchObject({ seq: 2 });
  });
});

describe.skipIf(withoutRedis)("a node that is gone", () => {
  test.concurrent("is forgotten within 15 s: its subscribers are counted no more, and their ids are free", async () => {
    await using stage = await setUp();
    const [one, two] = [stage.start(), stage.start({ ENGINE: stage.redis.url })];
    await using client = await Client.connect(one);
    await client.subscribe("t", "me");
    await using other = await Client.connect(two);
    await other.subscribe("t", "other");
    expect(await health(two)).toMatchObject({ subscribers: 2 });
    // It is cut off for good, which is all that the others see of a node that is killed.
    const began = performance.now();
    stage.line.refuse();
    stage.line.cut();
    await until(async () => (await stats(two))["t"]?.subscribers === 1);
    expect(performance.now() - began).toBeLessThan(15_000);
    expect(await health(two)).toMatchObject({ subscribers: 1 });
    expect((await topicDetail(two, "t")).subscribers.map(({ client_id }) => client_id)).toEqual(["other"]);
    // Back again, it claims what nobody else has meanwhile.
    await other.subscribe("t", "me");
    stage.line.admit();
    expect(await client.next()).toMatchObject({ msg: "subscription_replaced" });
    await until(() => isReady(one));
    await until(async () => (await stats(one))["t"]?.subscribers === 2);
  });

  test.concurrent("and comes back has its subscribers as before", async () => {
    await using stage = await setUp();
    const [one, two] = [stage.start(), stage.start({ ENGINE: stage.redis.url })];
    await using client = await Client.connect(one);
    await createTopic(one, "u");
    for (const id of ["a", "b"]) await client.subscribe("t", id);
    await client.subscribe("u", "a");
    stage.line.cut();
    await until(() => isReady(one));
    await client.subscribe("u", "c");
    expect(await health(two)).toMatchObject({ subscribers: 4 });
    const counts = await stats(two);
    expect([counts["t"]?.subscribers, counts["u"]?.subscribers]).toEqual([2, 2]);
    await client.close();
    await until(async () => (await health(two)).subscribers === 0);
  });
});
