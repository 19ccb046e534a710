import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { binary, startBinary } from "../support/binary.ts";
import { runCommand } from "../support/command.ts";
import { TestCredentials } from "../support/credentials.ts";
import { tempFolder } from "../support/proxies.ts";
import { stats } from "../support/server.ts";
import { Terminal, whyNoTerminal } from "../support/terminal.ts";

beforeAll(() => void binary());

const why = whyNoTerminal();
if (why !== undefined) console.log(`Tests of a terminal are skipped: ${why}`);

describe.skipIf(why !== undefined)("on a terminal", () => {
  test("sub prints aligned lines, gaps among them, and Ctrl-C ends it with 0", async () => {
    await using server = await startBinary({ TOPICS: "orders", MAX_HISTORY: "2" });
    for (const payload of ["1", "2", "1.10", '{"a":1}']) await runCommand(server, ["pub", "orders", payload]);
    const detail = await runCommand(server, ["topics", "list", "orders"]);
    const { epoch } = Object.assign({ epoch: "" }, detail.lines[0]);
    const command = `"${binary()}" sub orders --since ${epoch}:1 --url ${server.url}`;
    await using terminal = await Terminal.start(command);
    const screen = await terminal.until('{"a":1}');
    expect(screen).toMatch(/^gap  2 to 2 are missing: history had lost them\n\d\d:\d\d:\d\d\.\d{3}  3  1\.10\n/);
    expect(await terminal.coloured()).toContain("\u001b[33m");
    await terminal.press("C-c");
    await terminal.until("[exit 0]");
    while ((await stats(server))["orders"]?.subscribers !== 0) await Bun.sleep(5);
  });

  test("NO_COLOR takes the colours away", async () => {
    await using server = await startBinary({ TOPICS: "t" });
    await runCommand(server, ["pub", "t", "1"]);
    const command = `"${binary()}" sub t --last 1 --count 1 --url ${server.url}`;
    await using terminal = await Terminal.start(command, { NO_COLOR: "1" });
    await terminal.until("[exit 0]");
    expect(await terminal.coloured()).not.toContain("\u001b[3");
  });

  test("pub shows how far it is with a file, and is gone from the screen when it is done", async () => {
    await using server = await startBinary({ TOPICS: "t" });
    using folder = tempFolder();
    const file = join(folder.path, "lines");
    await Bun.write(file, "1\n".repeat(120));
    await using terminal = await Terminal.start(`"${binary()}" pub t - --rate 100 --url ${server.url} < ${file}`);
    await terminal.until(/^\[#+ *\] +\d+ % \d+ published, \d+\/s/);
    expect(await terminal.until("[exit 0]")).toMatch(/^published 120 messages to t, up to \w+:120\n\[exit 0\]/);
  });

  test("topics and health are tables for people", async () => {
    await using server = await startBinary({ TOPICS: "a,longer" });
    const [pubsub, url] = [`"${binary()}"`, `--url ${server.url}`];
    await using terminal = await Terminal.start(
      `${pubsub} topics ${url}; ${pubsub} topics create b ${url}; ${pubsub} topics list a ${url}; ${pubsub} health ${url}`,
    );
    const screen = await terminal.until("[exit 0]");
    expect(screen).toStartWith("TOPIC   SUBSCRIBERS\na                 0\nlonger            0\ncreated b\n");
    expect(screen).toMatch(/^TOPIC +EPOCH +SEQ +OLDEST +MESSAGES +BYTES +SUBSCRIBERS$/m);
    expect(screen).toMatch(/^topics +3$/m);
    expect(screen).toMatch(/^state +ready$/m);
  });
});

describe("a credential", () => {
  test("comes by flag or variable, a flag first, and is never printed", async () => {
    using credentials = new TestCredentials();
    await using server = await startBinary({ ...credentials.env, TOPICS: "t,other" });
    const { all, some } = credentials.keys;
    const token = await credentials.token();
    const topics = async (args: string[], env: Record<string, string>) =>
      (await runCommand(server, ["topics", ...args], { env })).lines.length;
    expect(await topics([], { PUBSUB_KEY: all.key })).toBe(2);
    expect(await topics(["--key", some.key], { PUBSUB_KEY: all.key })).toBe(1);
    expect(await topics(["--token", token], { PUBSUB_KEY: all.key })).toBe(1);
    expect(await topics([], { PUBSUB_TOKEN: token })).toBe(1);
    const published = await runCommand(server, ["pub", "t", "1", "--key", some.key]);
    expect(published.code).toBe(0);
    const heard = await runCommand(server, ["sub", "t", "--last", "1", "--count", "1", "--token", token]);
    expect(heard.lines).toMatchObject([{ payload: 1 }]);
  });

  test.each(["sub t", "pub t 1", "topics", "topics create x", "health"])(
    "that is missing or wrong ends %s with 3",
    async (line) => {
      using credentials = new TestCredentials();
      await using server = await startBinary({ ...credentials.env, TOPICS: "t" });
      const missing = await runCommand(server, line.split(" "));
      expect([missing.code, missing.out]).toEqual([3, ""]);
      expect(missing.err).toBe(
        `pubsub: ${server.url} wants a credential: give one with --key or --token, PUBSUB_KEY or PUBSUB_TOKEN\n`,
      );
      const wrong = await runCommand(server, [...line.split(" "), "--key", "swordfish"]);
      expect([wrong.code, wrong.out]).toEqual([3, ""]);
      expect(wrong.err).toStartWith(`pubsub: ${server.url} refuses this credential: `);
      expect(wrong.err).not.toContain("swordfish");
    },
  );

  test.each(["sub t", "pub t 1", "topics create x"])("that does not allow %s ends it with 3", async (line) => {
    using credentials = new TestCredentials();
    await using server = await startBinary({ ...credentials.env, TOPICS: "t" });
    const { code, err } = await runCommand(server, line.split(" "), { env: { PUBSUB_KEY: credentials.keys.none.key } });
    expect(code).toBe(3);
    expect(err).toMatch(/^pubsub: .+\n$/);
  });
});
