import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { binary, startBinary } from "../support/binary.ts";
import { outcomeOf, runCommand, runShell, startCommand } from "../support/command.ts";
import { tempFolder } from "../support/proxies.ts";
import { stats } from "../support/server.ts";

beforeAll(() => void binary());

/** An address where nobody listens. */
const NOBODY = { url: "http://127.0.0.1:1" };
const HISTORY = { MAX_HISTORY: "5000" };

describe("pub and sub", () => {
  test("take a payload from one end to the other as it was written", async () => {
    await using server = await startBinary({ TOPICS: "t" });
    const payloads = ["12345678901234567890", "1.10", '{"b": 1e400, "a":"\u00e9\\n"}', "null"];
    for (const payload of payloads) expect((await runCommand(server, ["pub", "t", payload])).code).toBe(0);
    const { code, out, err, lines } = await runCommand(server, ["sub", "t", "--last", "9", "--count", "4"]);
    expect([code, err]).toEqual([0, ""]);
    for (const [index, line] of out.trimEnd().split("\n").entries()) {
      expect(line).toEndWith(`,"payload":${payloads[index]}}`);
      expect(lines[index]).toMatchObject({ type: "event", topic: "t", seq: index + 1, id: expect.any(String) });
    }
  });

  test("have a payload that is no JSON as a string, and one with line ends on one line", async () => {
    await using server = await startBinary({ TOPICS: "t" });
    await runCommand(server, ["pub", "t", 'it\'s "so"']);
    await runCommand(server, ["pub", "t", '{"a":\n1.0}']);
    const { out } = await runCommand(server, ["sub", "t", "--last", "2", "--count", "2"]);
    expect(out).toContain(`"payload":"it's \\"so\\""}\n`);
    expect(out).toEndWith(`"payload":{"a": 1.0}}\n`);
  });

  test("pass 2,000 lines of a file, in their order, all of them", async () => {
    await using server = await startBinary({ TOPICS: "t", ...HISTORY });
    using folder = tempFolder();
    const file = join(folder.path, "lines");
    await Bun.write(file, Array.from({ length: 2000 }, (_, index) => `{"n":${index}}\r\n\n`).join(""));
    const published = await runShell(server, `"$PUBSUB" pub t - < ${file}`);
    expect([published.code, published.err]).toEqual([0, ""]);
    expect(published.lines).toEqual([
      { topic: "t", epoch: expect.any(String), first_seq: 1, seq: 2000, published: 2000 },
    ]);
    const { lines } = await runCommand(server, ["sub", "t", "--last", "2000", "--count", "2000"]);
    expect(lines).toHaveLength(2000);
    for (const [n, line] of lines.entries()) expect(line).toMatchObject({ seq: n + 1, payload: { n } });
  });

  test("begin after a position, and tell what is lost as a gap", async () => {
    await using server = await startBinary({ TOPICS: "t", MAX_HISTORY: "2" });
    await runShell(server, `seq 1 5 | "$PUBSUB" pub t`);
    const { lines: all } = await runCommand(server, ["sub", "t", "--last", "1", "--count", "1"]);
    const { epoch } = Object.assign({ epoch: "" }, all[0]);
    const { lines } = await runCommand(server, ["sub", "t", "--since", `${epoch}:1`, "--count", "2"]);
    expect(lines).toMatchObject([
      { type: "gap", topic: "t", epoch, first_seq: 2, last_seq: 3, reason: "missed", status: "missing" },
      { type: "event", seq: 4, payload: 4 },
      { type: "event", seq: 5, payload: 5 },
    ]);
  });

  test("of several topics count their events together", async () => {
    await using server = await startBinary({ TOPICS: "a,b" });
    for (const topic of ["a", "b", "a"]) await runCommand(server, ["pub", topic, "1"]);
    const { code, lines } = await runCommand(server, ["sub", "a", "b", "--last", "9", "--count", "3"]);
    expect(code).toBe(0);
    expect(lines.map((line) => Object.assign({ topic: "" }, line).topic).sort()).toEqual(["a", "a", "b"]);
  });

  test("publish no faster than --rate says", async () => {
    await using server = await startBinary({ TOPICS: "t" });
    const startedAt = performance.now();
    expect((await runShell(server, `seq 1 21 | "$PUBSUB" pub t - --rate 100`)).code).toBe(0);
    expect(performance.now() - startedAt).toBeGreaterThan(190);
  });
});

test("sub goes on when the server is back, and says what it cannot know", async () => {
  const first = await startBinary({ TOPICS: "t" });
  const child = startCommand(first, ["sub", "t"]);
  while ((await stats(first))["t"]?.subscribers !== 1) await Bun.sleep(5);
  await runCommand(first, ["pub", "t", "1"]);
  await first[Symbol.asyncDispose]();
  await using second = await startBinary({ TOPICS: "t", PORT: String(first.port) });
  while ((await stats(second))["t"]?.subscribers !== 1) await Bun.sleep(20);
  await runCommand(second, ["pub", "t", "2"]);
  const expected = [
    { type: "event", seq: 1, payload: 1 },
    { type: "gap", first_seq: 2, reason: "epoch" },
    { type: "event", seq: 1, payload: 2 },
  ];
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    text += decoder.decode(chunk, { stream: true });
    if (text.split("\n").length > expected.length) break;
  }
  child.kill("SIGINT");
  expect(await child.exited).toBe(0);
  expect(await child.stderr.text()).toBe("");
  expect(
    text
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line)),
  ).toMatchObject(expected);
});

describe("a pipe", () => {
  test("whose reader has enough ends sub with 0, and nothing is said", async () => {
    await using server = await startBinary({ TOPICS: "t", ...HISTORY });
    await runShell(server, `seq 1 5000 | "$PUBSUB" pub t -`);
    const script = `"$PUBSUB" sub t --last 5000 | head -3; echo "\${PIPESTATUS[0]}"`;
    const { out, err } = await runShell(server, script);
    expect(err).toBe("");
    expect(out.trimEnd().split("\n")).toHaveLength(4);
    expect(out).toEndWith("\n0\n");
  });

  test.skipIf(process.platform !== "linux")("whose reader is gone ends sub, though no event comes", async () => {
    await using server = await startBinary({ TOPICS: "t" });
    const { out } = await runShell(server, `"$PUBSUB" sub t | true; echo "\${PIPESTATUS[0]}"`);
    expect(out).toBe("0\n");
  });

  test("whose reader stalls is told what it lost, as gaps that add up", async () => {
    await using server = await startBinary({ TOPICS: "t", MAX_SUBSCRIBER_QUEUE: "50" });
    using folder = tempFolder();
    const [go, file] = [join(folder.path, "go"), join(folder.path, "out")];
    // What this process itself is given, Bun reads at once.
    const reader = `(until [ -e ${go} ]; do sleep 0.05; done; cat > ${file})`;
    const reading = runShell(server, `"$PUBSUB" sub t --json | ${reader}`);
    while (Object.values(await stats(server))[0]?.subscribers !== 1) await Bun.sleep(5);
    const big = JSON.stringify("x".repeat(1000));
    const script = `yes '${big}' | head -20000 | "$PUBSUB" pub t -; "$PUBSUB" pub t '"end"'`;
    expect((await runShell(server, script)).code).toBe(0);
    await Bun.write(go, "");
    let text = "";
    while (!text.includes('"payload":"end"')) {
      await Bun.sleep(20);
      text = (await Bun.file(file).exists()) ? await Bun.file(file).text() : "";
    }
    await runCommand(server, ["topics", "delete", "t"]);
    expect((await reading).err).toBe("pubsub: Topic 't' was deleted\n");
    let next = 1;
    let gaps = 0;
    for (const line of text.trimEnd().split("\n")) {
      const item = Object.assign({ type: "", seq: 0, first_seq: 0, last_seq: 0 }, JSON.parse(line));
      expect(item.type === "gap" ? item.first_seq : item.seq).toBe(next);
      next = (item.type === "gap" ? item.last_seq : item.seq) + 1;
      gaps += item.type === "gap" ? 1 : 0;
    }
    expect(next).toBe(20_002);
    expect(gaps).toBeGreaterThan(0);
  });
});

describe("Ctrl-C", () => {
  test("ends sub with 0, and its subscription", async () => {
    await using server = await startBinary({ TOPICS: "t" });
    const child = startCommand(server, ["sub", "t"]);
    while ((await stats(server))["t"]?.subscribers !== 1) await Bun.sleep(5);
    child.kill("SIGINT");
    expect(await outcomeOf(child)).toMatchObject({ code: 0, out: "", err: "" });
    while ((await stats(server))["t"]?.subscribers !== 0) await Bun.sleep(5);
  });

  test("ends pub half way with 130, and says how far it came", async () => {
    await using server = await startBinary({ TOPICS: "t" });
    const child = startCommand(server, ["pub", "t", "-", "--rate", "50"], { stdin: "1\n".repeat(10_000) });
    while (((await stats(server))["t"]?.messages ?? 0) < 3) await Bun.sleep(5);
    child.kill("SIGINT");
    const { code, out, err } = await outcomeOf(child);
    expect([code, out]).toEqual([130, ""]);
    expect(err).toMatch(/^pubsub: Interrupted; \d+ messages were published and acked\n$/);
  });
});

describe("what goes wrong is one line, with an exit code", () => {
  const CANNOT = /^pubsub: Cannot reach http:\/\/127\.0\.0\.1:1: is the server running\? .*\n$/;

  test.each(["sub t", "pub t 1", "topics", "health"])("without a server: %s", async (line) => {
    const { code, out, err } = await runCommand(NOBODY, line.split(" "));
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(CANNOT);
  });

  test("without the topic, which names the command that creates it", async () => {
    await using server = await startBinary();
    for (const args of [
      ["sub", "no such"],
      ["pub", "no such", "1"],
      ["topics", "delete", "no such"],
    ]) {
      const { code, out, err } = await runCommand(server, args);
      expect([code, out]).toEqual([1, ""]);
      expect(err).toBe("pubsub: There is no topic 'no such'. Create it: pubsub topics create 'no such'\n");
    }
  });

  test("with a line that is no UTF-8, or too long, which is named", async () => {
    await using server = await startBinary({ TOPICS: "t" });
    const bad = await runShell(server, `printf '1\\n2\\n\\xff\\n' | "$PUBSUB" pub t -`);
    expect([bad.code, bad.err]).toEqual([1, "pubsub: Line 3 is not UTF-8\n"]);
    const long = await runShell(server, `(echo 1; head -c 9000000 /dev/zero | tr '\\0' x) | "$PUBSUB" pub t -`);
    expect([long.code, long.err]).toEqual([1, "pubsub: Line 2 is longer than 8388608 bytes\n"]);
    const refused = await runShell(server, `(echo 1; head -c 1100000 /dev/zero | tr '\\0' x) | "$PUBSUB" pub t -`);
    expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/^pubsub: Line 2: .*MAX_MESSAGE_BYTES/)]);
  });

  test("with a topic that is deleted while it is subscribed to", async () => {
    await using server = await startBinary({ TOPICS: "t" });
    const child = startCommand(server, ["sub", "t"]);
    while ((await stats(server))["t"]?.subscribers !== 1) await Bun.sleep(5);
    await runCommand(server, ["topics", "delete", "t"]);
    expect(await outcomeOf(child)).toMatchObject({ code: 1, err: "pubsub: Topic 't' was deleted\n" });
  });

  test.each([
    [["sbu"], "Unknown command 'sbu'; did you mean sub?"],
    [["sub", "t", "--lst", "3"], "There is no flag --lst; did you mean --last?"],
    [["topics", "craete", "t"], "'topics' knows no 'craete', only list, create, delete; did you mean create?"],
    [["sub"], "'sub' needs a topic"],
    [["sub", "t", "--last", "x"], "--last must be a whole number from 0 to 1000000, got 'x'"],
    [["sub", "t", "--url", "localhost"], "--url must be an address such as http://localhost:8000, got 'localhost'"],
    [["sub", "t", "--key", "a", "--token", "b"], "A credential is --key or --token, not both"],
  ])("with a command line that is wrong: %j", async (args, problem) => {
    const { code, out, err } = await runCommand(NOBODY, args);
    expect([code, out, err]).toEqual([2, "", `${problem}\nTry --help.\n`]);
  });
});
