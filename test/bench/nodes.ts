/**
 * What several nodes over one Redis give and cost, on two cores: acked publishes, deliveries, and the time from Redis' return
 * until the last subscriber has caught up. Nodes, Redis and load share the two cores, as they would on such a machine.
 * `bun test/bench/nodes.ts [--seconds S] [--rounds N] [--away MS] [BINARY]`
 */
import { parseArgs } from "node:util";
import { z } from "zod";
import { useBinary } from "../support/binary.ts";
import { RedisServer } from "../support/redis.ts";
import { stayOnTwoCores } from "./cores.ts";
import type { Done, Work } from "./nodes-messages.ts";
import { measureReturn, TOPICS, type Returned } from "./nodes-return.ts";
import { Setup } from "./nodes-setups.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "5" },
    away: { type: "string", default: "1000" },
  },
});
const seconds = z.coerce.number().positive().parse(values.seconds);
const rounds = z.coerce.number().int().min(1).parse(values.rounds);
/** How long Redis is away, in milliseconds. */
const awayMs = z.coerce.number().int().min(0).parse(values.away);
useBinary(positionals[0]);
stayOnTwoCores();

/** Redis returns so often. */
const returns = Math.min(3, rounds);
const warmUp = Math.min(1, seconds);

type Load = Pick<Work, "mode" | "publishers" | "window" | "subscribers" | "prefix">;

const acks = (publishers: number, window: number): Load => ({
  ...{ mode: "acks", publishers, window, subscribers: 0 },
  prefix: "acks",
});
/** What is in flight is less than a socket takes, so nothing is dropped. */
const deliveries = (topics: number): Load => ({
  ...{ mode: "deliveries", publishers: topics, window: 128, subscribers: 64 },
  prefix: `deliveries-${topics}-`,
});
const LOADS: Record<string, Load> = {
  "8 × 32": acks(8, 32),
  "2 × 1": acks(2, 1),
  "1 × 64": deliveries(1),
  "8 × 8": deliveries(8),
};

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const rate = ({ count, seconds: took }: Done) => count / took;

/** What was measured of one load and setup, round by round. */
class Runs {
  readonly all: Done[] = [];

  median(figure: (done: Done) => number): number {
    return median(this.all.map(figure));
  }

  /** How many times the rate of others this is, in the median of pairs of the same round, and what they differ by. */
  times(others: Runs | undefined): string {
    if (others === undefined || others === this) return "";
    const ratios = this.all.map((done, round) => rate(done) / rate(others.all[round] ?? done));
    return `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} … ${Math.max(...ratios).toFixed(2)})`;
  }

  /** Who had how much of the two cores, in percent of one. */
  get shares() {
    const share = (used: (cpu: Done["cpu"], took: number) => number) =>
      Math.round(this.median(({ cpu, seconds: took }) => (100 * used(cpu, took)) / took));
    return {
      "% of a core: nodes": share(({ nodes }) => nodes),
      Redis: share(({ redis }) => redis),
      load: share(({ load }) => load),
      idle: share(({ idle }) => idle),
      others: share(({ nodes, redis, load, idle }, took) => Math.max(0, 2 * took - nodes - redis - load - idle)),
    };
  }

  /** Microseconds of CPU for each ack or delivery. */
  microseconds(of: "nodes" | "redis"): number {
    return this.median(({ cpu, count }) => (1e6 * cpu[of]) / count);
  }

  /** How many a second these would be if each node, and Redis, had a core for itself. */
  withCores(nodes: number): number {
    return 1e6 / Math.max(this.microseconds("nodes") / nodes, this.microseconds("redis"));
  }
}

/** Each load with each setup in each round, every time in another order. */
async function measureAll(setups: readonly Setup[]): Promise<Map<string, readonly Runs[]>> {
  const found = new Map(Object.keys(LOADS).map((name) => [name, setups.map(() => new Runs())]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, load] of Object.entries(LOADS)) {
      console.error(`${load.mode} ${name}, ${round + 1}/${rounds} …`);
      for (let i = 0; i < setups.length; i++) {
        const at = (round + i) % setups.length;
        const done = await setups[at]?.measure({ ...load, warmUp, seconds });
        if (done !== undefined) found.get(name)?.[at]?.all.push(done);
      }
    }
  }
  return found;
}

function rowsOf(mode: Load["mode"], setups: readonly Setup[], found: Map<string, readonly Runs[]>) {
  const names = [...found.keys()].filter((name) => LOADS[name]?.mode === mode);
  return names.flatMap((name) => {
    const all = found.get(name) ?? [];
    const [memory, one] = all;
    return all.map((runs, at) => {
      const nodes = setups[at]?.nodes.length ?? 0;
      const isAcks = mode === "acks";
      const milliseconds = (figure: (done: Done) => number | null) =>
        runs.median((done) => figure(done) ?? 0).toFixed(2);
      return {
        [isAcks ? "connections × in flight" : "topics × subscribers"]: name,
        "engine, nodes": setups[at]?.name,
        [isAcks ? "acks a second" : "deliveries a second"]: Math.round(runs.median(rate)),
        "of memory": runs.times(memory),
        "of Redis, 1": at === 0 ? "" : runs.times(one),
        ...(isAcks && { "p50, ms": milliseconds(({ p50 }) => p50), p99: milliseconds(({ p99 }) => p99) }),
        ...runs.shares,
        "µs each: nodes": runs.microseconds("nodes").toFixed(2),
        "of Redis": runs.microseconds("redis").toFixed(2),
        ...(!isAcks && { "a core for each": Math.round(runs.withCores(nodes)) }),
      };
    });
  });
}

{
  await using redis = await RedisServer.start();
  await using memory = await Setup.start(1);
  await using one = await Setup.start(1, redis);
  await using two = await Setup.start(2, redis);
  const setups = [memory, one, two];
  const found = await measureAll(setups);
  console.log(`\nAcked publishes, and how long an ack takes: median of ${rounds} rounds of ${seconds} s`);
  console.table(rowsOf("acks", setups, found));
  console.log("\nDeliveries. The last column is calculated: if each node, and Redis, had a core for itself");
  console.table(rowsOf("deliveries", setups, found));
}
{
  await using redis = await RedisServer.start("--appendonly", "yes");
  await using setup = await Setup.start(2, redis);
  const found: Returned[] = [];
  for (let i = 0; i < returns; i++) {
    console.error(`Redis returns, ${i + 1}/${returns} …`);
    found.push(await measureReturn(redis, setup, awayMs));
  }
  console.log(
    `\n${TOPICS} topics of one subscriber each, 2 nodes. Redis is killed, and started again ${awayMs} ms later`,
  );
  const columns = Object.keys(found[0] ?? {});
  const typical = columns.map((name) => [name, median(found.map((times) => times[name] ?? Number.NaN))]);
  const rows = [...found, Object.fromEntries(typical)];
  console.table(
    rows.map((times, i) => ({ "ms since it answers": i < returns ? `round ${i + 1}` : "median", ...times })),
  );
}
process.exit(0);
