import { beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { binary, startBinary } from "../support/binary.ts";
import { outcomeOf, runCommand, startCommand } from "../support/command.ts";
import { TestCredentials } from "../support/credentials.ts";
import { stats } from "../support/server.ts";
import { Terminal, whyNoTerminal } from "../support/terminal.ts";

beforeAll(() => void binary());

const result = z.object({
  load: z.object({ publishers: z.literal(2), subscribers: z.literal(3), topics: z.literal(1) }),
  published: z.number().min(1),
  delivered: z.number().min(1),
  lost: z.literal(0),
  missing: z.literal(0),
  latency_ms: z.object({ p50: z.number().positive(), p99: z.number().positive(), max: z.number().positive() }),
  histogram: z.array(z.object({ up_to_ms: z.number(), count: z.number() })).min(1),
  server: z.object({ cpu_share: z.number().min(0), memory_bytes: z.number().min(1) }),
  own_cpu_share: z.number().positive(),
  load_is_limit: z.boolean(),
});

describe("bench", () => {
  test("measures, and leaves no topic behind", async () => {
    await using server = await startBinary();
    const args = "bench --publishers 2 --subscribers 3 --rate 200 --seconds 0.5 --size 100".split(" ");
    const { code, err, lines } = await runCommand(server, args);
    expect([code, err]).toEqual([0, ""]);
    const { published, delivered, histogram, latency_ms } = result.parse(lines[0]);
    // What was under way when it began and ended to count is in one of the two only.
    expect(Math.abs(delivered - 3 * published)).toBeLessThan(0.5 * delivered);
    expect(histogram.reduce((sum, { count }) => sum + count, 0)).toBe(delivered);
    expect(latency_ms.p50).toBeLessThanOrEqual(latency_ms.p99);
    expect(latency_ms.p99).toBeLessThanOrEqual(latency_ms.max);
    expect(await stats(server)).toEqual({});
  });

  test("says so where the load itself is at its limit", async () => {
    await using server = await startBinary();
    const { lines } = await runCommand(server, [
      "bench",
      "--subscribers",
      "200",
      "--in-flight",
      "64",
      "--seconds",
      "1",
    ]);
    const { own_cpu_share, load_is_limit } = z
      .object({ own_cpu_share: z.number(), load_is_limit: z.boolean() })
      .parse(lines[0]);
    expect(load_is_limit).toBe(own_cpu_share >= 0.9);
  });

  test("has payloads of the size that was asked for", async () => {
    await using server = await startBinary();
    const child = startCommand(server, ["bench", "--size", "200", "--rate", "50", "--seconds", "20"]);
    let topic: string | undefined;
    while (topic === undefined) {
      topic = Object.entries(await stats(server)).find(([, { messages }]) => messages > 0)?.[0];
      await Bun.sleep(5);
    }
    const { out } = await runCommand(server, ["sub", topic, "--last", "1", "--count", "1"]);
    expect(out.slice(out.indexOf('"payload":') + 10, -2)).toHaveLength(200);
    child.kill("SIGINT");
    expect(await outcomeOf(child)).toMatchObject({ code: 130, out: "", err: "" });
    expect(await stats(server)).toEqual({});
  });

  test("fails if the server goes away, and does not wait for it", async () => {
    const server = await startBinary();
    const child = startCommand(server, ["bench", "--seconds", "1000"]);
    while (!Object.values(await stats(server)).some(({ messages }) => messages > 0)) await Bun.sleep(5);
    await server[Symbol.asyncDispose]();
    const { code, out, err } = await outcomeOf(child);
    expect([code, out, err]).toEqual([1, "", `pubsub: The connection to ${server.url} was lost\n`]);
  });

  test("needs admin, and says what it lacks", async () => {
    using credentials = new TestCredentials();
    await using server = await startBinary(credentials.env);
    const { code, err } = await runCommand(server, ["bench"], { env: { PUBSUB_KEY: credentials.keys.some.key } });
    expect(code).toBe(3);
    expect(err).toMatch(/^pubsub: .*admin.*\n$/);
  });

  test.skipIf(whyNoTerminal() !== undefined)("shows people how far it is, and then figures and bars", async () => {
    await using server = await startBinary();
    const command = `"${binary()}" bench --subscribers 5 --rate 100 --seconds 1 --url ${server.url}`;
    await using terminal = await Terminal.start(command);
    await terminal.until(/\[#* *\] +\d+ % \d+ deliveries\/s/);
    const screen = await terminal.until("[exit 0]");
    expect(screen).toMatch(/^1 publisher, 5 subscribers, 1 topic, 128 bytes, 100 a second, 1\.\d s\n/);
    expect(screen).toMatch(/^delivered +\d+\/s$/m);
    expect(screen).toMatch(/^latency +p50 [\d.]+ /m);
    expect(screen).toMatch(/^ +≤ +[\d.]+ ms +\[#+ +\] +\d+ %$/m);
    expect(screen).toMatch(/^server +CPU \d+ % of a core, [\d.]+ µs a delivery; memory \d+ MiB$/m);
  });
});
