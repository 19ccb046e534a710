import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { binary, startBinary } from "../support/binary.ts";
import { outcomeOf, runCommand, runShell, startCommand } from "../support/command.ts";
import { tempFolder } from "../support/proxies.ts";
import { stats } from "../support/server.ts";

beforeAll(() => void binary());

const PAYLOADS = ["12345678901234567890", "1.10", '{"b": 1e400, "a":1}', '"é"'];

describe("record and replay", () => {
  test("bring messages back as they were, under new ids", async () => {
    await using server = await startBinary({ TOPICS: "a,b" });
    using folder = tempFolder();
    const file = join(folder.path, "a.jsonl");
    for (const payload of PAYLOADS) await runCommand(server, ["pub", "a", payload]);
    const recorded = await runCommand(server, ["record", "a", file, "--last", "9", "--count", "4"]);
    expect(recorded).toMatchObject({ code: 0, err: "" });
    expect(recorded.lines).toEqual([{ topic: "a", file, recorded: 4, lost: 0 }]);
    const lines = (await Bun.file(file).text()).trimEnd().split("\n");
    expect(lines.map((line) => line.slice(line.indexOf('"payload":') + 10, -1))).toEqual(PAYLOADS);

    const replayed = await runCommand(server, ["replay", file, "--topic", "b", "--speed", "max"]);
    expect(replayed).toMatchObject({ code: 0, err: "" });
    expect(replayed.lines).toEqual([{ file, published: 4, duplicates: 0 }]);
    const heard = await runCommand(server, ["sub", "b", "--last", "9", "--count", "4"]);
    const heardLines = heard.out.trimEnd().split("\n");
    expect(heardLines.map((line) => line.slice(line.indexOf('"payload":') + 10, -1))).toEqual(PAYLOADS);
    const ids = [...lines, ...heardLines].map((line) => Object.assign({ id: "" }, JSON.parse(line)).id);
    expect(new Set(ids).size).toBe(8);
  });

  test("keep the ids if they are to, and count what history has already", async () => {
    await using server = await startBinary({ TOPICS: "a,b" });
    using folder = tempFolder();
    const file = join(folder.path, "a.jsonl");
    for (const payload of PAYLOADS) await runCommand(server, ["pub", "a", payload]);
    await runCommand(server, ["record", "a", file, "--last", "9", "--count", "4"]);
    const args = ["replay", file, "--topic", "b", "--speed", "0", "--keep-ids"];
    expect((await runCommand(server, args)).lines).toEqual([{ file, published: 4, duplicates: 0 }]);
    expect((await runCommand(server, args)).lines).toEqual([{ file, published: 0, duplicates: 4 }]);
  });

  test("keep the time between messages, divided by the speed", async () => {
    await using server = await startBinary({ TOPICS: "a" });
    using folder = tempFolder();
    const file = join(folder.path, "a.jsonl");
    const id = "550e8400-e29b-41d4-a716-446655440000";
    const line = (ts: string) => `{"ts":"${ts}","id":"${id}","topic":"a","seq":1,"payload":1}\n`;
    await Bun.write(file, line("2026-01-02T03:04:05.000Z") + line("2026-01-02T03:04:07.000Z"));
    expect((await runCommand(server, ["replay", file, "--speed", "10"])).code).toBe(0);
    const { lines } = await runCommand(server, ["sub", "a", "--last", "2", "--count", "2"]);
    const [first = 0, second = 0] = lines.map((event) => Date.parse(Object.assign({ ts: "" }, event).ts));
    expect(second - first).toBeGreaterThanOrEqual(190);
  });

  test("write all that came when they are interrupted", async () => {
    await using server = await startBinary({ TOPICS: "a" });
    using folder = tempFolder();
    const file = join(folder.path, "a.jsonl");
    const child = startCommand(server, ["record", "a", file]);
    while ((await stats(server))["a"]?.subscribers !== 1) await Bun.sleep(5);
    await runShell(server, `seq 1 100 | "$PUBSUB" pub a -`);
    while ((await Bun.file(file).text()).split("\n").length < 101) await Bun.sleep(5);
    child.kill("SIGINT");
    expect(await outcomeOf(child)).toMatchObject({ code: 0, lines: [{ topic: "a", file, recorded: 100, lost: 0 }] });

    const again = startCommand(server, ["replay", file, "--speed", "0.000001"]);
    while ((await stats(server))["a"]?.messages === 100) await Bun.sleep(5);
    again.kill("SIGINT");
    const { code, err } = await outcomeOf(again);
    expect(code).toBe(130);
    expect(err).toMatch(/^pubsub: Interrupted; \d+ messages were published and acked\n$/);
  });

  test("refuse a file that is there already, is missing, or is none of theirs", async () => {
    await using server = await startBinary({ TOPICS: "a" });
    using folder = tempFolder();
    const file = join(folder.path, "a.jsonl");
    await Bun.write(file, "\n{}\n");
    expect(await runCommand(server, ["record", "a", file])).toMatchObject({
      code: 1,
      err: `pubsub: ${file} is there already; --force writes over it\n`,
    });
    expect(await runCommand(server, ["replay", file])).toMatchObject({
      code: 1,
      err: `pubsub: Line 2 of ${file} is not a message as 'record' writes it\n`,
    });
    const none = await runCommand(server, ["replay", join(folder.path, "none")]);
    expect([none.code, none.err]).toEqual([1, expect.stringMatching(/^pubsub: Cannot read .*none: /)]);
    expect(await runCommand(server, ["record", "none", file, "--force"])).toMatchObject({
      code: 1,
      err: "pubsub: There is no topic 'none'. Create it: pubsub topics create none\n",
    });
    expect(await Bun.file(file).text()).toBe("\n{}\n");
  });
});
