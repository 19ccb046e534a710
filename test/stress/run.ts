/**
 * Publishers and subscribers that stall, vanish and return, against a server from `src/`: every ledger must balance.
 * `bun test/stress/run.ts [--minutes M] [--seed N] [--history N] [--queue N] [--memory BYTES]`
 */
import { parseArgs } from "node:util";
import { z } from "zod";
import { seedOfRun } from "../support/random.ts";
import { startSource } from "./source-server.ts";
import { stress } from "./stress.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(seedOfRun()) },
    history: { type: "string", default: "100" },
    queue: { type: "string", default: "50" },
    memory: { type: "string" },
  },
});
const count = z.coerce.number().int().min(0);
const seconds = 60 * z.coerce.number().positive().parse(values.minutes);
const plan = {
  seed: count.parse(values.seed),
  seconds,
  maxHistory: count.parse(values.history),
  queue: count.min(1).parse(values.queue),
  scarce: values.memory !== undefined,
};

await using server = await startSource({
  MAX_HISTORY: values.history,
  MAX_SUBSCRIBER_QUEUE: values.queue,
  HEARTBEAT_INTERVAL_MS: "4000",
  ...(values.memory === undefined ? {} : { HISTORY_MEMORY_BYTES: values.memory }),
});
console.log(`SEED=${plan.seed}, history ${plan.maxHistory}, queue ${plan.queue}, ${seconds} s`);
const outcome = await stress(server, plan, console.log);
await server.stop();
console.table(outcome);
