import { expect, test } from "bun:test";
import { connect } from "../../src/client/index.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { RedisServer, withoutRedis } from "../support/redis.ts";
import { startTestServer } from "../support/server.ts";
import { problemsOf } from "./balance.ts";
import { begin, CROWDED, LEDGER_TOPICS } from "./ledger.ts";

/** How often something goes wrong; `CHAOS_BLOWS=500` for more. */
const BLOWS = Number(process.env["CHAOS_BLOWS"] ?? 15);

const ENGINE_TIMEOUT_MS = 200;

/** Two nodes over a Redis, a line from each to that, and a proxy that leads clients to either. */
async function setUp(random: Random) {
  await using undo = new AsyncDisposableStack();
  const redis = undo.use(await RedisServer.start());
  const nodes = [1, 2].map(() => {
    const line = undo.use(new CuttingProxy(redis));
    const server = startTestServer({
      ENGINE: `redis://127.0.0.1:${line.port}`,
      ENGINE_TIMEOUT_MS: String(ENGINE_TIMEOUT_MS),
      TOPICS: [...LEDGER_TOPICS, CROWDED].join(","),
      MAX_HISTORY: "600",
      MAX_SUBSCRIBER_QUEUE: "20",
    });
    return { line, server: undo.use(server) };
  });
  const port = () => random.pick(nodes).server.port;
  const proxy = new CuttingProxy({
    get port() {
      return port();
    },
  });
  undo.use(proxy);
  const all = undo.move();
  return { redis, nodes, proxy, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

type Stage = Awaited<ReturnType<typeof setUp>>;

const BLOW: Record<string, (stage: Stage, random: Random) => Promise<void>> = {
  "Redis is flushed": async ({ redis }) => void (await redis.send("FLUSHALL", [])),
  "Redis is started anew": async ({ redis }, random) => {
    await redis.signal("SIGKILL");
    await Bun.sleep(random.int(3 * ENGINE_TIMEOUT_MS));
    await redis.start();
  },
  "a node's line is cut": async ({ nodes }, random) => random.pick(nodes).line.cut(),
  "a node's line is away": async ({ nodes }, random) => {
    const { line } = random.pick(nodes);
    line.refuse();
    line.cut();
    await Bun.sleep(random.int(3 * ENGINE_TIMEOUT_MS));
    line.admit();
  },
  "clients are cut off": async ({ proxy }) => proxy.cut(),
};

test.skipIf(withoutRedis)(
  "a client's ledger balances while nodes lose Redis, Redis its data, and the client its connection",
  async () => {
    const seed = seedOfRun();
    const random = new Random(seed);
    await using stage = await setUp(random);
    const session = begin(connect, stage.proxy.url);
    const names = Object.keys(BLOW);
    for (let blow = 0; blow < BLOWS; blow++) {
      await Bun.sleep(50 + random.int(300));
      const name = blow < names.length ? names[blow] : random.pick(names);
      await BLOW[name ?? ""]?.(stage, random);
    }
    const { errors, ...report } = await session.stop();
    // The library says when what is published has to wait.
    const unexpected = errors.filter((error) => !error.includes("The engine"));
    const problems = problemsOf({ ...report, errors: unexpected }, true).slice(0, 20);
    expect({ seed, problems }).toEqual({ seed, problems: [] });
    const epochs = new Set(report.acked.map(({ epoch }) => epoch)).size;
    const { connections, acked } = report;
    console.log(JSON.stringify({ connections, acked: acked.length, epochs, waited: errors.length }));
    expect(epochs).toBeGreaterThan(LEDGER_TOPICS.length);
    expect(acked.length).toBeGreaterThan(BLOWS);
  },
  300_000,
);
