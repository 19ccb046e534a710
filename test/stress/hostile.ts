/**
 * Many hostile clients beside some good ones, against the executable with little memory, and then with few files: the good
 * ones must lose nothing and stay connected. Exits with 1 where they do not, or the server dies.
 * `bun test/stress/hostile.ts [--minutes M] [--hostile N] [--good N] [--memory MB] [--files N] [--rate N] [--seed N]
 *   [--only KIND,…] [--alone SECONDS] [BINARY]`, kinds of hostile clients, as 'hostile-kinds.ts' has them
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { givingWay, leaveServerItsCore } from "../bench/cores.ts";
import { useBinary } from "../support/binary.ts";
import { HelperProcess } from "../support/helper-process.ts";
import { publish } from "../support/publish.ts";
import { seedOfRun } from "../support/random.ts";
import { createTopic } from "../support/server.ts";
import { FencedServer, type Fence, type Usage } from "./fenced-server.ts";
import { GoodClients, type Served } from "./good-clients.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "2" },
    hostile: { type: "string", default: "2000" },
    good: { type: "string", default: "100" },
    memory: { type: "string", default: "128" },
    files: { type: "string", default: "256" },
    rate: { type: "string", default: "1000" },
    seed: { type: "string", default: String(seedOfRun()) },
    only: { type: "string" },
    alone: { type: "string", default: "20" },
  },
});
const count = z.coerce.number().int().min(1);
const seconds = 60 * z.coerce.number().positive().parse(values.minutes);
const hostileClients = {
  count: count.parse(values.hostile),
  rate: count.parse(values.rate),
  seed: z.coerce.number().int().min(0).parse(values.seed),
  only: values.only?.split(","),
};
const good = count.parse(values.good);
const memoryBytes = count.parse(values.memory) * 1024 * 1024;
const files = count.parse(values.files);
useBinary(positionals[0]);
leaveServerItsCore();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

/** How long the good ones are measured before and after. */
const aloneSeconds = count.parse(values.alone);
/** Until what the hostile ones had is given back. */
const SETTLE_MS = 5000;
const TOPICS = { good: "good", feed: "hostile feed", history: "hostile history", spam: "hostile spam" };
const HISTORY = { batches: 10, batch: 10, bytes: 60_000 };
/** Files that the server has open without any client, generously. */
const OWN_FILES = 64;
/** What is taken where not all good clients fit beside these. */
const FEWER_GOOD = 60;

type Part = { name: string; served: Served; usage: Usage };

const tally = z.record(z.string(), z.int());

async function run(name: string, fence: Fence, clients: number): Promise<{ parts: Part[]; well: boolean }> {
  await using server = await FencedServer.start(fence);
  for (const topic of Object.values(TOPICS)) await createTopic(server, topic);
  const goodClients = await GoodClients.connect(server.port, TOPICS.good, clients);
  const dead = () => !server.alive;
  const parts: Part[] = [];
  try {
    server.takeUsage();
    const alone = await goodClients.measure(aloneSeconds, dead);
    parts.push({ name: `${name}, alone`, served: alone, usage: server.takeUsage() });
    for (let i = 0; i < HISTORY.batches; i++) {
      await publish(server, TOPICS.history, Array<string>(HISTORY.batch).fill("x".repeat(HISTORY.bytes)));
    }
    const given = { ...hostileClients, port: server.port, topics: TOPICS };
    await using hostile = new HelperProcess(join(import.meta.dir, "hostile-clients.ts"), given, givingWay);
    const begun = performance.now();
    const served = await goodClients.measure(seconds, dead);
    const lasted = (performance.now() - begun) / 1000;
    parts.push({ name: `${name}, hostile`, served, usage: server.takeUsage() });
    hostile.end();
    console.log(`${name}: the hostile ones: ${JSON.stringify(await hostile.said(tally))}`);
    await hostile[Symbol.asyncDispose]();
    await Bun.sleep(SETTLE_MS);
    server.takeUsage();
    const after = await goodClients.measure(aloneSeconds, dead);
    parts.push({ name: `${name}, after`, served: after, usage: server.takeUsage() });
    if (dead()) console.log(`${name}: THE SERVER DIED within ${lasted.toFixed(1)} s`);
  } finally {
    goodClients.leave();
  }
  const { ending, complaints } = await server.stop();
  console.log(`${name}: ${ending === undefined ? "the server survived" : `the server ended with ${ending}`}`);
  for (const line of complaints) console.log(`  it said: ${line}`);
  const unharmed = parts.every(({ served: { lost, disconnected } }) => lost === 0 && disconnected === 0);
  return { parts, well: unharmed && ending === undefined };
}

function shown({ served, usage }: Part): Record<string, string> {
  const { published, lost, disconnected, delays, lateness, kept, fresh } = served;
  const ms = ({ latencies }: { latencies: Served["delays"] }) => {
    return [0.5, 0.99, 1].map((share) => latencies.percentile(share).toFixed(1)).join(" / ");
  };
  return {
    published: `${published}`,
    "lost, all subscribers together": `${lost}`,
    "good clients disconnected": `${disconnected}`,
    "delay, ms, p50 / p99 / max": ms({ latencies: delays }),
    "  of it sent late, p50 / p99 / max": ms({ latencies: lateness }),
    "GET /livez, ms, p50 / p99 / max": ms(kept),
    "  failed": `${kept.failed} of ${kept.failed + kept.latencies.count}`,
    "the same, new connection each": ms(fresh),
    "  failed ": `${fresh.failed} of ${fresh.failed + fresh.latencies.count}`,
    "most memory of the cgroup, MB": usage.cgroupMb?.toFixed(0) ?? "",
    "most resident, MB": usage.residentMb.toFixed(0),
    "most open files": `${usage.files}`,
    "CPU share": `${(100 * usage.cpuShare).toFixed(0)} %`,
  };
}

console.log(
  `SEED=${hostileClients.seed}, ${hostileClients.count} hostile clients, ${hostileClients.rate} acts a second, ${seconds} s each`,
);
const fits = good + OWN_FILES <= files;
if (!fits) console.log(`${good} good clients do not fit into ${files} files: ${FEWER_GOOD} there`);
const runs = [
  await run(`${values.memory} MB`, { memoryBytes }, good),
  await run(`${files} files`, { files }, fits ? good : FEWER_GOOD),
];
const columns = runs.flatMap(({ parts }) => parts).map((part) => ({ name: part.name, shown: shown(part) }));
const rows = Object.keys(columns[0]?.shown ?? {});
console.table(
  Object.fromEntries(rows.map((row) => [row, Object.fromEntries(columns.map((one) => [one.name, one.shown[row]]))])),
);
process.exit(runs.every(({ well }) => well) ? 0 : 1);
