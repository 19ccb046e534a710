/**
 * Whether what the server does with all connections in one go keeps others waiting: the heartbeat, and the deletion of a topic
 * with many subscribers. One more WebSocket pings meanwhile, and without; compared are their p99.9.
 * `bun test/bench/heartbeat.ts [--connections N] [--seconds S] [BINARY]`
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { startBinary, useBinary } from "../support/binary.ts";
import { HelperProcess } from "../support/helper-process.ts";
import { createTopic, deleteTopic } from "../support/server.ts";
import { givingWay, leaveServerItsCore, onCore, SERVER_CORE } from "./cores.ts";
import { Pinger, type Pings } from "./pinger.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { connections: { type: "string", default: "15000" }, seconds: { type: "string", default: "20" } },
});
const connections = z.coerce.number().int().min(1).parse(values.connections);
const seconds = z.coerce.number().positive().parse(values.seconds);
useBinary(positionals[0]);
leaveServerItsCore();

/** Two rounds of the heartbeat begin while it is measured, and one of them ends for certain. */
const HEARTBEAT_MS = Math.floor((seconds * 1000) / 2);
/** Until then, everything that came with connecting is over. */
const REST_MS = 1000;
const DELETED_AFTER_MS = 1000;
const CLOSED_WITHIN_MS = 60_000;
const TOPIC = "t";

const totals = z.object({
  heartbeats: z.int(),
  deletions: z.int(),
  codes: z.record(z.string(), z.int()),
  cut: z.int(),
});
type Totals = z.infer<typeof totals>;

/** What is measured while so many are connected, and what these received. */
type Idlers = { url: string; helper: HelperProcess; pinger: Pinger };

async function withIdlers<T>(heartbeatMs: number, topic: string | undefined, use: (idlers: Idlers) => Promise<T>) {
  const env = { HEARTBEAT_INTERVAL_MS: String(heartbeatMs) };
  await using server = await startBinary(env, undefined, (command) => onCore(SERVER_CORE, command));
  if (topic !== undefined) await createTopic(server, topic);
  const given = { port: server.port, connections, topic };
  await using helper = new HelperProcess(join(import.meta.dir, "idlers.ts"), given, givingWay);
  await helper.said(z.object({ connected: z.literal(connections) }));
  const pinger = new Pinger(server.port);
  await pinger.opened;
  await Bun.sleep(REST_MS);
  try {
    return await use({ url: server.url, helper, pinger });
  } finally {
    pinger.cut();
  }
}

async function endOf({ helper }: Idlers): Promise<Totals> {
  helper.end();
  return helper.said(totals);
}

function row(what: string, { roundTrips, lateness }: Pings): Record<string, string> {
  const figures = { p50: 0.5, p99: 0.99, "p99.9": 0.999, max: 1 };
  const shown = Object.entries(figures).map(([name, share]) => [name, roundTrips.percentile(share).toFixed(2)]);
  return {
    "round trip, ms": what,
    ...Object.fromEntries(shown),
    "sent late, p99.9": lateness.percentile(0.999).toFixed(2),
  };
}

const p999 = ({ roundTrips }: Pings): number => roundTrips.percentile(0.999);
const ratio = (one: Pings, other: Pings) => (p999(one) / p999(other)).toFixed(2);

console.log(`${connections} connections, ${seconds} s each, 500 pings a second`);
const idle = await withIdlers(0, undefined, async (idlers) => idlers.pinger.run(seconds));
const beating = await withIdlers(HEARTBEAT_MS, undefined, async (idlers) => {
  const measured = await idlers.pinger.run(seconds);
  return { measured, ...(await endOf(idlers)) };
});
const deletion = await withIdlers(0, TOPIC, async (idlers) => {
  const { url, helper, pinger } = idlers;
  const quiet = await pinger.run(seconds);
  const measured = pinger.run(seconds);
  await Bun.sleep(DELETED_AFTER_MS);
  const asked = performance.now();
  await deleteTopic({ url }, TOPIC);
  const answeredMs = performance.now() - asked;
  const timer = setTimeout(() => helper.end(), CLOSED_WITHIN_MS);
  const said = await helper.said(z.union([z.object({ closedAt: z.number() }), totals]));
  clearTimeout(timer);
  const closedMs = "closedAt" in said ? said.closedAt - (performance.timeOrigin + asked) : Number.POSITIVE_INFINITY;
  const received = "closedAt" in said ? await endOf(idlers) : said;
  return { quiet, measured: await measured, answeredMs, closedMs, ...received };
});

console.table([
  row("no heartbeat", idle),
  row(`heartbeat every ${HEARTBEAT_MS} ms`, beating.measured),
  row("a topic with all as subscribers, quiet", deletion.quiet),
  row("the same, and it is deleted", deletion.measured),
]);
const { heartbeats, cut } = beating;
console.log(`heartbeat: p99.9 ${ratio(beating.measured, idle)} times that without, ${heartbeats} heartbeats came`);
console.log(`deletion: p99.9 ${ratio(deletion.measured, deletion.quiet)} times that before`);
console.log(
  `deletion: answered after ${deletion.answeredMs.toFixed(0)} ms, all closed after ${deletion.closedMs.toFixed(0)} ms; ` +
    `${deletion.deletions} were told topic_deleted, closed with ${JSON.stringify(deletion.codes)}, ${deletion.cut} cut`,
);
const well = deletion.deletions === connections && deletion.codes["4404"] === connections && heartbeats >= connections;
if (cut > 0) console.log(`${cut} connections were cut during the heartbeats`);
process.exit(well && cut === 0 ? 0 : 1);
