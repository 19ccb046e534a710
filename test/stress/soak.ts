/**
 * Churn for a long time against the executable: rounds of publishers and subscribers that stall, vanish and return. What the
 * server holds when everybody has gone must be the same after each round.
 * `bun test/stress/soak.ts [--minutes M] [BINARY]`
 */
import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { z } from "zod";
import { startBinary, useBinary } from "../support/binary.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { metrics } from "../support/stats.ts";
import { stress } from "./stress.ts";

/** How long one round lasts, in seconds. */
const ROUND_SEC = 50;

const { values, positionals } = parseArgs({
  options: { minutes: { type: "string", default: "20" } },
  allowPositionals: true,
});
const minutes = z.coerce.number().positive().parse(values.minutes);
useBinary(positionals[0]);

const seed = seedOfRun();
const random = new Random(seed);
const begun = performance.now();
const elapsed = () => (performance.now() - begun) / 60_000;
const plan = { maxHistory: 100, queue: 50 };
await using server = await startBinary({
  MAX_HISTORY: String(plan.maxHistory),
  MAX_SUBSCRIBER_QUEUE: String(plan.queue),
  HEARTBEAT_INTERVAL_MS: "4000",
});
const proc = `/proc/${server.process.pid}`;
const status = (field: string) => {
  const line = readFileSync(`${proc}/status`, "utf8")
    .split("\n")
    .find((one) => one.startsWith(field));
  return Number(line?.replace(/\D/g, ""));
};

console.log(`SEED=${seed}, ${minutes} minutes\n`);
console.log(
  "| minute | RSS, MB | open files | threads | connections | subscriptions | history, MB | received | gaps |",
);
console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
while (elapsed() < minutes) {
  const outcome = await stress(server, { ...plan, seed: random.int(2 ** 31), seconds: ROUND_SEC });
  for (const name of await topics()) {
    await fetch(`${server.url}/topics/${encodeURIComponent(name)}`, { method: "DELETE" });
  }
  const found = await metrics(server);
  const connections = ["websocket", "sse"].map((kind) => found.get(`pubsub_connections{transport="${kind}"}`));
  const row = [
    elapsed().toFixed(1),
    (status("VmRSS") / 1024).toFixed(1),
    readdirSync(`${proc}/fd`).length,
    status("Threads"),
    connections.join(" + "),
    found.get("pubsub_subscriptions"),
    ((found.get("pubsub_history_bytes") ?? 0) / 1e6).toFixed(1),
    outcome.received,
    outcome.dropped,
  ];
  console.log(`| ${row.join(" | ")} |`);
}
server.process.kill("SIGTERM");
console.log(`\nexit code ${await server.process.exited}`);

async function topics(): Promise<string[]> {
  const answer = await fetch(`${server.url}/topics`);
  const schema = z.object({ topics: z.array(z.object({ name: z.string() })) });
  return schema.parse(await answer.json()).topics.map(({ name }) => name);
}
