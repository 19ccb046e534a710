import { expect, test } from "bun:test";
import { join } from "node:path";

test("what a server sends against the contract fails the test during which it came, and only that", async () => {
  const command = [process.execPath, "test", "--timeout", "60000", "./test/support/violating.ts"];
  const run = Bun.spawn(command, { cwd: join(import.meta.dir, "../.."), stdout: "ignore", stderr: "pipe" });
  const lines = (await run.stderr.text()).split("\n");
  expect(await run.exited).toBe(1);
  const outcomes = lines.flatMap((line) => {
    const [, outcome, name = ""] = /^\((pass|fail)\) (.*?)( \[.*)?$/.exec(line) ?? [];
    return outcome === undefined ? [] : [{ name, outcome }];
  });
  expect(outcomes).toHaveLength(14);
  for (const { name, outcome } of outcomes) {
    expect(outcome, name).toBe(name.startsWith("violation: ") ? "fail" : "pass");
  }
  expect(lines.filter((line) => line === "error: Not as src/protocol/sent-schema.ts has it:")).toHaveLength(11);
});
