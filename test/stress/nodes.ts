/**
 * Three nodes over one Redis, publishers and subscribers that move between them, and everything that can go wrong: every
 * ledger must balance. `bun test/stress/nodes.ts [--minutes M] [--seed N] [--only TEXT]`
 */
import { parseArgs } from "node:util";
import { z } from "zod";
import { seedOfRun } from "../support/random.ts";
import { runNodes } from "./nodes/run-nodes.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "2" },
    seed: { type: "string", default: String(seedOfRun()) },
    only: { type: "string", default: "" },
  },
});
const seed = z.coerce.number().int().min(0).parse(values.seed);
const seconds = 60 * z.coerce.number().positive().parse(values.minutes);
console.log(`SEED=${seed}, ${seconds} s`);
const { counts, struck, epochsEnded } = await runNodes({ seed, seconds, only: values.only }, console.log);
console.table(struck);
console.table({ ...counts, epochsEnded });
process.exit(0);
