/**
 * Broken frames, HTTP requests and tokens, from a seed. Exits with 1 at the first finding, with its seed and the least
 * input that was found to show it.
 * `bun test/fuzz/run.ts [--minutes M] [--seed N] [--only TARGET]`
 */
import { parseArgs } from "node:util";
import { z } from "zod";
import { seedOfRun } from "../support/random.ts";
import { TARGETS } from "./targets.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(seedOfRun()) },
    only: { type: "string" },
  },
});
const seconds = 60 * z.coerce.number().positive().parse(values.minutes);
const seed = z.coerce.number().int().min(0).parse(values.seed);
const names = Object.keys(TARGETS).filter((name) => values.only === undefined || values.only === name);

console.log(`SEED=${seed}, ${names.join(", ")}, ${seconds} s`);
let findings = 0;
for (const name of names) {
  try {
    const tally = await TARGETS[name]?.(seed, seconds / names.length);
    console.log([`${name}: ${tally?.total} inputs, no finding`, ...(tally?.lines ?? [])].join("\n"));
  } catch (cause) {
    findings++;
    console.log(`${name}: FINDING\n${cause instanceof Error ? cause.message : cause}`);
  }
}
process.exit(findings === 0 ? 0 : 1);
