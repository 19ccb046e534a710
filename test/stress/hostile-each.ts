/**
 * Hostile clients of one kind after the other, each against an executable of its own with little memory and good clients
 * beside them: what the good ones notice, and the server's memory before, during and after. Exits with 1 where a good one
 * lost something or its connection, or the server died.
 * `bun test/stress/hostile-each.ts [--seconds S] [--hostile N] [--good N] [--memory MB] [--rate N] [--seed N]
 *   [--only KIND,…] [BINARY]`, kinds as 'hostile-kinds.ts' has them; KIND+KIND are at it together
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { givingWay, leaveServerItsCore } from "../bench/cores.ts";
import { useBinary } from "../support/binary.ts";
import { HelperProcess } from "../support/helper-process.ts";
import { publish } from "../support/publish.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { createTopic } from "../support/server.ts";
import { FencedServer, type Usage } from "./fenced-server.ts";
import { GoodClients, type Served } from "./good-clients.ts";
import { hostileKinds } from "./hostile-kinds.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "6" },
    hostile: { type: "string", default: "100" },
    good: { type: "string", default: "10" },
    memory: { type: "string", default: "256" },
    rate: { type: "string", default: "1000" },
    seed: { type: "string", default: String(seedOfRun()) },
    only: { type: "string" },
  },
});
const count = z.coerce.number().int().min(1);
const seconds = z.coerce.number().positive().parse(values.seconds);
const memoryBytes = count.parse(values.memory) * 1024 * 1024;
const given = { count: count.parse(values.hostile), rate: count.parse(values.rate), seed: count.parse(values.seed) };
const good = count.parse(values.good);
useBinary(positionals[0]);
leaveServerItsCore();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const TOPICS = { good: "good", feed: "hostile feed", history: "hostile history", spam: "hostile spam" };
const ALONE_SECONDS = 3;
/** Until what the hostile ones had is given back. */
const SETTLE_MS = 2000;

const tally = z.object({ connected: z.int(), reset: z.int() });

type Part = { served: Served; usage: Usage };

async function run(kind: string): Promise<{ row: Record<string, string>; well: boolean }> {
  await using server = await FencedServer.start({ memoryBytes });
  for (const topic of Object.values(TOPICS)) await createTopic(server, topic);
  await publish(server, TOPICS.history, Array<string>(10).fill("x".repeat(60_000)));
  const goodClients = await GoodClients.connect(server.port, TOPICS.good, good);
  const dead = () => !server.alive;
  const measure = async (howLong: number): Promise<Part> => {
    server.takeUsage();
    const served = await goodClients.measure(howLong, dead);
    return { served, usage: server.takeUsage() };
  };
  const before = await measure(ALONE_SECONDS);
  const script = join(import.meta.dir, "hostile-clients.ts");
  await using hostile = new HelperProcess(
    script,
    { ...given, port: server.port, topics: TOPICS, only: kind.split("+") },
    givingWay,
  );
  const during = await measure(seconds);
  hostile.end();
  const { connected, reset } = await hostile.said(tally);
  await hostile[Symbol.asyncDispose]();
  await Bun.sleep(SETTLE_MS);
  const after = await measure(ALONE_SECONDS);
  goodClients.leave();
  const { ending } = await server.stop();
  const parts = [before, during, after];
  const sum = (of: (served: Served) => number) => parts.reduce((all, { served }) => all + of(served), 0);
  const [lost, disconnected] = [sum((served) => served.lost), sum((served) => served.disconnected)];
  const row = {
    "connected, reset": `${connected}, ${reset}`,
    "lost, disconnected": `${lost}, ${disconnected}`,
    "delay before, ms, p50 / p99": ms(before.served),
    "during ": ms(during.served),
    "memory before, MB": memory(before.usage),
    during: memory(during.usage),
    after: memory(after.usage),
    "the server": ending ?? "survived",
  };
  return { row, well: lost === 0 && disconnected === 0 && ending === undefined };
}

function ms({ delays }: Served): string {
  return [0.5, 0.99].map((share) => delays.percentile(share).toFixed(1)).join(" / ");
}

/** Of the process, and of all that its cgroup is charged with. */
function memory({ residentMb, cgroupMb = Number.NaN }: Usage): string {
  return `${residentMb.toFixed(0)} (${cgroupMb.toFixed(0)})`;
}

console.log(`SEED=${given.seed}, ${given.count} hostile clients, ${given.rate} acts a second, in ${values.memory} MB`);
const kinds = values.only?.split(",") ?? Object.keys(hostileKinds(TOPICS, new Random(given.seed)));
const rows: Record<string, Record<string, string>> = {};
let well = true;
for (const kind of kinds) {
  const outcome = await run(kind);
  rows[kind] = outcome.row;
  well &&= outcome.well;
}
console.table(rows);
process.exit(well ? 0 : 1);
