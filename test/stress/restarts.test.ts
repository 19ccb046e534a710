import { expect, test } from "bun:test";
import { seedOfRun } from "../support/random.ts";
import { Restart } from "./restart.ts";

test("SIGTERM under load: every acked message was received, or reported as lost, by all who were subscribed", async () => {
  let acked = 0;
  const seed = seedOfRun();
  for (let i = 0; i < 3; i++) {
    const restart = new Restart(seed + i);
    const outcome = await restart.run();
    expect(restart.failures, `SEED=${seed + i}`).toEqual([]);
    acked += outcome.acked;
  }
  expect(acked).toBeGreaterThan(0);
});
