import { expect, test } from "bun:test";
import { seedOfRun } from "../support/random.ts";
import { withoutRedis } from "../support/redis.ts";
import { runNodes } from "./nodes/run-nodes.ts";

/** CI gives it two minutes, in a run of its own, and leaves it out of the others: 0. */
const SECONDS = Number(process.env["PUBSUB_NODES_SECONDS"] ?? 12);

test.skipIf(withoutRedis || SECONDS === 0)(
  "over three nodes every acked publish is delivered once or told as lost, in one order, whatever is killed, paused or cut",
  async () => {
    const { counts } = await runNodes({ seed: seedOfRun(), seconds: SECONDS }, () => {});
    expect(counts.acked).toBeGreaterThan(0);
    expect(counts.received).toBeGreaterThan(0);
  },
  (2 * SECONDS + 120) * 1000,
);
