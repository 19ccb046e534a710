import { PubSubError } from "../client/index.ts";
import { Load } from "./bench-load.ts";
import { AT_LIMIT, benchReport, type BenchResult } from "./bench-report.ts";
import { command } from "./command.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit.ts";
import { Failure, Interrupted } from "./failure.ts";
import { integer } from "../setting-kinds.ts";
import { decimal, toggle } from "./flag-kinds.ts";
import type { HttpApi } from "./http-api.ts";
import { pause } from "./pace.ts";
import { Progress } from "./progress.ts";
import { SERVER, serverOf, type RawClient, type Server } from "./server.ts";

/** What is published before it counts: connections and code get warm. */
const WARM_UP_MS = 500;

/** How long nothing more may come before the rest counts as lost, in milliseconds. */
const QUIET_MS = 2000;

export const bench = command({
  name: "bench",
  summary: "load a running server, and say how much it delivers, how fast, and at what cost",
  notes: [
    "It creates topics of its own with a random name, and deletes them again, also after Ctrl-C; that needs admin. Each publisher and each subscriber has a connection. Latency is from the publish to the subscriber. It loads the server from one process, and says if that process was at its limit.",
  ],
  flags: {
    publishers: integer(1, 1, 1000, "publishers"),
    subscribers: integer(1, 0, 10_000, "subscribers"),
    topics: integer(1, 1, 1000, "topics; publishers and subscribers take them in turn"),
    size: integer(128, 40, 1_000_000, "size of a payload, in bytes"),
    rate: decimal(0, 0, 1_000_000, "messages a second, of all publishers together; 0 is as fast as acks allow"),
    inFlight: integer(16, 1, 10_000, "publishes of one publisher that may wait for their acks"),
    seconds: decimal(5, 0.1, 86_400, "how long it measures"),
    json: toggle("a line of JSON, on a terminal too"),
    ...SERVER,
  },
  example: "bench --publishers 2 --subscribers 100 --rate 1000 --seconds 2",
  exits: ["done", "failed", "usage", "refused", "interrupted"],
  async run({ flags }, context) {
    const server = serverOf(flags, context);
    const name = `bench-${Math.random().toString(36).slice(2, 10)}`;
    const topics = Array.from({ length: flags.topics }, (_, index) => `${name}-${index}`);
    const asked: string[] = [];
    const clients: RawClient[] = [];
    // What is measured over a connection that was made again, or while publishes wait, is not worth much.
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => {});
    const onConnection = () => lost.reject(new Failure(`The connection to ${server.url} was lost`));
    const onUnavailable = (cause: PubSubError) => lost.reject(cause);
    try {
      for (const topic of topics) {
        // It may be there even if the answer does not come.
        asked.push(topic);
        await context.orInterrupted(server.api.create(topic));
      }
      const connect = async (count: number) => {
        const some = await Promise.all(
          Array.from({ length: count }, () => server.connect({ onConnection, onUnavailable })),
        );
        clients.push(...some);
        return some;
      };
      const publishers = await connect(flags.publishers);
      const subscribers = await connect(flags.subscribers);
      const load = new Load({ ...flags, topics, publishers, subscribers });
      const result = await Promise.race([measured(load, flags, server, context), lost.promise]);
      const isPlain = context.isTerminal && !flags.json;
      await context.print(isPlain ? benchReport(result, context.style) : JSON.stringify(result));
      return EXIT.done;
    } catch (cause) {
      throw context.signal.aborted ? new Interrupted() : server.failure(cause);
    } finally {
      await deleteAll(asked, server.api);
      await Promise.all(clients.map((client) => client.close()));
    }
  },
});

/** Deletes topics, as far as there is a server and they are there. */
async function deleteAll(topics: readonly string[], api: HttpApi): Promise<void> {
  for (const topic of topics) {
    try {
      await api.delete(topic, true);
    } catch (cause) {
      if (cause instanceof PubSubError && cause.code === "DISCONNECTED") return;
    }
  }
}

type Flags = Omit<BenchResult["load"], "in_flight"> & { inFlight: number; seconds: number };

async function measured(load: Load, flags: Flags, server: Server, context: Context): Promise<BenchResult> {
  await context.orInterrupted(load.subscribe());
  const { publishers, subscribers, topics, size, rate, inFlight, seconds } = flags;
  const ms = seconds * 1000;
  let begunAt: number | undefined;
  using _ = new Progress(context, () => {
    const share = begunAt === undefined ? 0 : Math.min(1, (performance.now() - begunAt) / ms);
    return { share, text: `${Math.round((load.delivered / (share * ms || 1)) * 1000)} deliveries/s` };
  });
  load.start();
  await wait(WARM_UP_MS, load, context);
  const serverBefore = await server.api.metrics().catch(() => undefined);
  const ownBefore = process.cpuUsage();
  begunAt = performance.now();
  load.measure(true);
  await wait(ms, load, context);
  const measuredMs = performance.now() - begunAt;
  load.measure(false);
  const own = process.cpuUsage(ownBefore);
  const serverAfter = await server.api.metrics().catch(() => undefined);
  await load.stop();
  await drained(load, context);
  const ownShare = (own.user + own.system) / 1000 / measuredMs;
  return {
    load: { publishers, subscribers, topics, size, rate, in_flight: inFlight },
    seconds: measuredMs / 1000,
    published: load.published,
    delivered: load.delivered,
    lost: load.lost,
    missing: load.missing,
    published_per_second: (load.published / measuredMs) * 1000,
    delivered_per_second: (load.delivered / measuredMs) * 1000,
    latency_ms: load.latencies.count === 0 ? undefined : latenciesOf(load),
    histogram: load.latencies.doublings().map(({ upTo, count }) => ({ up_to_ms: upTo, count })),
    server: serverCost(serverBefore, serverAfter, measuredMs),
    own_cpu_share: ownShare,
    load_is_limit: ownShare >= AT_LIMIT,
  };
}

/** Waits while the load runs. @throws what ended it before */
async function wait(ms: number, load: Load, context: Context): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until) {
    await context.orInterrupted(pause(Math.min(50, until - performance.now()), context.signal));
    if (load.problem !== undefined) throw load.problem;
  }
}

/** Waits until all that was published has come, or nothing more does. */
async function drained(load: Load, context: Context): Promise<void> {
  let before = load.missing;
  let quietSince = performance.now();
  while (load.missing > 0 && performance.now() - quietSince < QUIET_MS) {
    await context.orInterrupted(pause(20, context.signal));
    if (load.missing !== before) quietSince = performance.now();
    before = load.missing;
  }
}

function latenciesOf({ latencies }: Load) {
  const [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map((share) => latencies.percentile(share));
  return { p50, p90, p99, p999, max: latencies.max };
}

type Samples = ReadonlyMap<string, number> | undefined;

/** What the server says of itself; undefined if it does not. */
function serverCost(before: Samples, after: Samples, ms: number): BenchResult["server"] {
  const [from, to] = [before, after].map((samples) => samples?.get("process_cpu_seconds_total"));
  const bytes = after?.get("process_resident_memory_bytes");
  if (from === undefined || to === undefined || bytes === undefined) return undefined;
  return { cpu_share: ((to - from) * 1000) / ms, cpu_seconds: to - from, memory_bytes: bytes };
}
