import { expect, test } from "bun:test";
import { seedOfRun } from "../support/random.ts";
import type { Tally } from "./fuzz.ts";
import { otherSpellings } from "./token-signers.ts";
import { TARGETS } from "./targets.ts";

const SECONDS = 2;
/** Room to look for a smaller input after a finding. */
const PATIENCE_MS = 60_000;

const harmless = async (_: string, run: (seed: number, seconds: number) => Promise<Tally>) => {
  const tally = await run(seedOfRun(), SECONDS);
  expect(tally.total).toBeGreaterThan(0);
};
test.each(Object.entries(TARGETS))("%s that are broken at random do no harm", harmless, PATIENCE_MS);

test("a signature has other spellings, which name the same bytes", () => {
  for (const [bytes, count] of [
    [3, 0],
    [32, 3],
    [64, 15],
  ] as const) {
    const spelled = Buffer.alloc(bytes, 0xa7).toString("base64url");
    const others = otherSpellings(spelled);
    expect(new Set([spelled, ...others]).size).toBe(count + 1);
    for (const other of others) expect(Buffer.from(other, "base64url").toString("base64url")).toBe(spelled);
  }
});
