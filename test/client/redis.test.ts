import { describe, expect, test } from "bun:test";
import { connect, PubSubError, type ConnectOptions, type Item, type Published } from "../../src/client/index.ts";
import { range } from "../support/account.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { RedisServer, withoutRedis } from "../support/redis.ts";
import { startTestServer, stats } from "../support/server.ts";
import { until } from "../support/stats.ts";

const ENGINE_TIMEOUT_MS = 300;

/** A server over a Redis of its own, the line between them, and a client that notes what it is told. */
async function setUp(options: ConnectOptions = {}) {
  await using undo = new AsyncDisposableStack();
  const redis = undo.use(await RedisServer.start());
  const line = undo.use(new CuttingProxy(redis));
  const server = undo.use(
    startTestServer({
      ENGINE: `redis://127.0.0.1:${line.port}`,
      ENGINE_TIMEOUT_MS: String(ENGINE_TIMEOUT_MS),
      TOPICS: "t",
      MAX_HISTORY: "10000",
      MAX_SUBSCRIBER_QUEUE: "1000",
    }),
  );
  const errors: unknown[] = [];
  const client = connect<{ t: number }>(server.url, {
    backoff: { firstMs: 50, mostMs: 200 },
    onError: (cause) => errors.push(cause instanceof PubSubError ? cause.code : cause),
    ...options,
  });
  undo.defer(() => client.close());
  const all = undo.move();
  return { redis, line, server, client, errors, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

const told = (item: Item) =>
  item.type === "event" ? item.payload : `${item.first_seq}-${item.last_seq} ${item.reason}`;

describe.skipIf(withoutRedis)("A client of a server over Redis", () => {
  test("goes on after Redis has lost its data, and tells that its topic began a new epoch", async () => {
    await using stage = await setUp();
    const { client, redis } = stage;
    const items: Item[] = [];
    const states: string[] = [];
    const note = (item: Item) => items.push(item);
    const subscription = client.subscribe("t", {
      onEvent: note,
      onGap: note,
      onState: (state) => states.push(state),
    });
    await until(async () => subscription.state === "live");
    const acked: Published[] = [];
    for (const payload of [1, 2, 3]) acked.push(await client.publish("t", payload));
    await until(async () => items.length === 3);
    await redis.send("FLUSHALL", []);
    for (const payload of [4, 5]) acked.push(await client.publish("t", payload));
    await until(async () => items.length === 6);
    expect(items.map(told)).toEqual([1, 2, 3, "4-undefined epoch", 4, 5]);
    const events = items.filter(({ type }) => type === "event");
    expect(events).toMatchObject(acked.map(({ epoch, seq }) => ({ epoch, seq })));
    expect(new Set(acked.map(({ epoch }) => epoch)).size).toBe(2);
    expect(subscription.position).toMatchObject({ epoch: acked[4]?.epoch ?? "", seq: acked[4]?.seq ?? 0 });
    expect(states).toEqual(["live"]);
    expect(stage.errors).toEqual([]);
  });

  test("has its publishes wait for a Redis that is away, and each of them acked once", async () => {
    await using stage = await setUp();
    const { client, line } = stage;
    const payloads: unknown[] = [];
    const subscription = client.subscribe("t", { onEvent: ({ payload }) => payloads.push(payload) });
    await until(async () => subscription.state === "live");
    const publishes = [1, 2, 3].map((payload) => client.publish("t", payload));
    await Promise.all(publishes);
    line.refuse();
    line.cut();
    publishes.push(...range(4, 300).map((payload) => client.publish("t", payload)));
    await until(async () => stage.errors.length === 1);
    await Bun.sleep(2 * ENGINE_TIMEOUT_MS);
    expect(client.pending).toBe(297);
    line.admit();
    const seqs = (await Promise.all(publishes)).map(({ seq }) => seq);
    expect([...seqs].sort((a, b) => a - b)).toEqual(range(1, 300));
    // Those that were not under way when Redis went have their order.
    expect(seqs.slice(3 + 64)).toEqual(range(3 + 64 + 1, 300));
    await until(async () => payloads.length === 300);
    expect(new Set(payloads)).toEqual(new Set(range(1, 300)));
    expect(stage.errors).toEqual(["UNAVAILABLE"]);
  });

  test("publishes once what a connection to Redis was lost under", async () => {
    await using stage = await setUp();
    const { client, line } = stage;
    const publishes: Promise<Published>[] = [];
    for (let round = 0; stage.errors.length === 0; round++) {
      publishes.push(...range(1, 50).map((payload) => client.publish("t", 50 * round + payload)));
      await Bun.sleep(round % 5);
      line.cut();
      await client.flush();
    }
    const all = range(1, publishes.length);
    const seqs = (await Promise.all(publishes)).map(({ seq }) => seq);
    expect(seqs.sort((a, b) => a - b)).toEqual(all);
    const { events } = await client.history("t");
    expect(events.map(({ payload }) => payload).sort((a, b) => a - b)).toEqual(all);
    expect(stage.errors).toContain("UNAVAILABLE");
  });

  test("subscribes and leaves once Redis is back, and tells meanwhile that it waits", async () => {
    await using stage = await setUp();
    const { client, line, server } = stage;
    const first = client.subscribe("t", { onEvent: () => {} });
    await until(async () => first.state === "live");
    line.refuse();
    line.cut();
    first.close();
    const states: unknown[] = [];
    const second = client.subscribe("t", {
      onEvent: () => {},
      onState: (state, cause) => states.push(cause === undefined ? state : `${state} ${cause.code}`),
    });
    await until(async () => second.state === "waiting");
    line.admit();
    await until(async () => second.state === "live");
    expect((await stats(server))["t"]?.subscribers).toBe(1);
    second.close();
    await until(async () => (await stats(server))["t"]?.subscribers === 0);
    expect(states).toEqual(["waiting UNAVAILABLE", "live", "ended"]);
  });
});
