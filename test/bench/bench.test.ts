import { expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { binary } from "../support/binary.ts";
import { withoutRedis } from "../support/redis.ts";

const rows = z.array(z.object({ workload: z.string(), ours: z.string(), other: z.string(), ratio: z.string() }));

test.each([
  ["publish", ["fanout-8", "pairs-200"]],
  ["sends", ["fanout-8"]],
  ["open", ["fanout-8"]],
])("the benchmark runs, and measures ours against %s", async (against, workloads) => {
  const options = ["--only", workloads.join(","), "--pairs", "1", "--seconds", "0.5", "--against", against, "--json"];
  const bench = Bun.spawn(["bun", join(import.meta.dir, "run.ts"), ...options], { stdout: "pipe", stderr: "pipe" });
  const measured = rows.parse(JSON.parse(await new Response(bench.stdout).text()));
  expect(measured.map(({ workload }) => workload)).toEqual(workloads);
  for (const { ours, other, ratio } of measured) {
    for (const figure of [ours, other, ratio]) expect(Number(figure)).toBeGreaterThan(0);
  }
  expect(await new Response(bench.stderr).text()).not.toContain("deliveries arrived");
});

test("the broker's own benchmark runs, and prints its three tables", async () => {
  const bench = Bun.spawn(["bun", join(import.meta.dir, "broker.ts")], { stdout: "pipe" });
  const printed = await new Response(bench.stdout).text();
  expect(printed.match(/\| \d+\.\d/g)).toHaveLength(12);
});

test.skipIf(withoutRedis)("the benchmark of several nodes runs, and prints its three tables", async () => {
  const options = ["--seconds", "0.2", "--rounds", "1", "--away", "100", binary()];
  const bench = Bun.spawn(["bun", join(import.meta.dir, "nodes.ts"), ...options], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [printed, said] = await Promise.all([bench.stdout.text(), bench.stderr.text()]);
  expect(await bench.exited, said).toBe(0);
  expect(printed.match(/│ Redis, 2 +│ [1-9]/g)).toHaveLength(4);
  expect(printed).toMatch(/│ median +│ /);
});
