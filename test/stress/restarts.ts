/**
 * The executable is told to stop while everybody publishes and reads, again and again: whatever was acknowledged must have
 * reached every subscriber, or have been reported to it as lost. Exits with 1 where something was not, or anything else failed.
 * `bun test/stress/restarts.ts [--restarts N] [--seed N] [BINARY]`
 */
import { parseArgs } from "node:util";
import { z } from "zod";
import { useBinary } from "../support/binary.ts";
import { seedOfRun } from "../support/random.ts";
import { Restart } from "./restart.ts";

/** Failures of one run that are printed. */
const SHOWN = 12;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    restarts: { type: "string", default: "200" },
    seed: { type: "string", default: String(seedOfRun()) },
  },
});
const restarts = z.coerce.number().int().min(1).parse(values.restarts);
const firstSeed = z.coerce.number().int().min(0).parse(values.seed);
useBinary(positionals[0]);

const sums = { acked: 0, unseen: 0, reported: 0, refused: 0, unanswered: 0 };
let failed = 0;
console.log(`SEED=${firstSeed}, ${restarts} restarts`);
for (let i = 0; i < restarts; i++) {
  const restart = new Restart(firstSeed + i);
  const outcome = await restart.run();
  sums.acked += outcome.acked;
  sums.unseen += outcome.unseen;
  sums.reported += outcome.reported;
  sums.refused += outcome.refused;
  sums.unanswered += outcome.unanswered;
  const { failures } = restart;
  if (failures.length === 0) continue;
  failed++;
  console.log(`restart ${i + 1}, seed ${firstSeed + i}: ${JSON.stringify(outcome)}, ${failures.length} failures`);
  for (const failure of failures.slice(0, SHOWN)) console.log(`  ${failure}`);
  if (failures.length > SHOWN) console.log(`  … and ${failures.length - SHOWN} more`);
}
console.log(
  `${restarts} restarts, ${sums.acked} acked, ${sums.unseen} unseen, ${sums.reported} reported as lost to a subscriber, ` +
    `${sums.refused} publishes refused, ${sums.unanswered} unanswered, ${failed} restarts with failures`,
);
process.exit(failed === 0 ? 0 : 1);
