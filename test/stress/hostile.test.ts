import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { binary, startBinary } from "../support/binary.ts";
import { HelperProcess } from "../support/helper-process.ts";
import { publish } from "../support/publish.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { health } from "../support/server.ts";
import { metrics, until } from "../support/stats.ts";
import { GoodClients } from "./good-clients.ts";
import { hostileKinds } from "./hostile-kinds.ts";

const TOPICS = { good: "good", feed: "feed", history: "history", spam: "spam" };
const GOOD = 6;
/** Of each kind. */
const HOSTILE = 4;
const SECONDS = 3;

beforeAll(() => void binary());

test("beside hostile clients of every kind good ones lose nothing and stay connected, and nothing is left of the hostile ones", async () => {
  const seed = seedOfRun();
  // What a flood does stands in flood.test.ts.
  const only = Object.keys(hostileKinds(TOPICS, new Random(seed))).filter((kind) => kind !== "flood");
  await using server = await startBinary({ TOPICS: Object.values(TOPICS).join() });
  await publish(server, TOPICS.history, Array<string>(10).fill("x".repeat(60_000)));
  const good = await GoodClients.connect(server.port, TOPICS.good, GOOD);
  const dead = () => server.process.exitCode !== null || server.process.signalCode !== null;
  const open = async () => {
    const found = await metrics(server);
    const [sockets, streams] = ["websocket", "sse"].map((one) => found.get(`pubsub_connections{transport="${one}"}`));
    return (sockets ?? 0) + (streams ?? 0);
  };
  try {
    const given = { port: server.port, count: HOSTILE * only.length, rate: 1000, seed, topics: TOPICS, only };
    await using hostile = new HelperProcess(join(import.meta.dir, "hostile-clients.ts"), given);
    // The publisher of the good ones is no subscriber.
    await until(async () => (await open()) > GOOD + 1 + only.length);
    const { lost, disconnected, published } = await good.measure(SECONDS, dead);
    expect(published).toBeGreaterThan(0);
    expect({ lost, disconnected, dead: dead() }, `SEED=${seed}`).toEqual({ lost: 0, disconnected: 0, dead: false });
    await hostile[Symbol.asyncDispose]();
    await until(async () => (await open()) === GOOD + 1);
    expect((await health(server)).subscribers).toBe(GOOD);
  } finally {
    good.leave();
  }
});
