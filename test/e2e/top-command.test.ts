import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { binary, startBinary } from "../support/binary.ts";
import { runCommand, runShell } from "../support/command.ts";
import { TestCredentials } from "../support/credentials.ts";
import { tempFolder } from "../support/proxies.ts";
import { Terminal, whyNoTerminal } from "../support/terminal.ts";

beforeAll(() => void binary());

const why = whyNoTerminal();
if (why !== undefined) console.log(`Tests of top on a terminal are skipped: ${why}`);

describe("top", () => {
  test("prints the table once where there is no terminal", async () => {
    await using server = await startBinary({ TOPICS: "quiet,loud" });
    await runCommand(server, ["pub", "loud", "1"]);
    const { code, out, err } = await runCommand(server, ["top"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^TOPIC  MSG\/S  MESSAGES  SUBSCRIBERS  BACKLOG  DROPS\nloud .*\nquiet .*\n$/);
    const json = await runCommand(server, ["top", "--json"]);
    expect(json.lines).toMatchObject([{ name: "loud", messages: 1, subscribers: 0 }, { name: "quiet" }]);
  });

  test("needs admin, and a server", async () => {
    using credentials = new TestCredentials();
    await using server = await startBinary(credentials.env);
    const refused = await runCommand(server, ["top"], { env: { PUBSUB_KEY: credentials.keys.some.key } });
    expect([refused.code, refused.out]).toEqual([3, ""]);
    const nobody = await runCommand({ url: "http://127.0.0.1:1" }, ["top"]);
    expect([nobody.code, nobody.err]).toEqual([1, expect.stringMatching(/^pubsub: Cannot reach /)]);
  });
});

describe.skipIf(why !== undefined)("top on a terminal", () => {
  test("is live, sorts, opens a topic, and leaves the terminal as it was", async () => {
    await using server = await startBinary({ TOPICS: "a,b,c" });
    await runShell(server, `seq 1 7 | "$PUBSUB" pub b -`);
    await using terminal = await Terminal.start(`echo before; "${binary()}" top --url ${server.url}`);
    const screen = await terminal.until(/^b +\S+ +7 /m);
    expect(screen).not.toContain("before");
    expect([await terminal.isAlternate(), await terminal.hasCursor()]).toEqual([true, false]);
    await runCommand(server, ["pub", "c", "1"]);
    await terminal.until(/^c +\S+ +1 /m);
    await terminal.press("n");
    await terminal.until(/TOPIC↓.*\n+a .*\nb .*\nc /);
    await terminal.press("n");
    await terminal.until(/TOPIC↑.*\nc .*\nb .*\na /);
    await terminal.press("Down");
    await terminal.press("Enter");
    expect(await terminal.until("back: Esc")).toMatch(/^[abc]\nposition \w+:\d+ /);
    await terminal.press("Escape");
    await terminal.until("quit: q");
    await terminal.press("q");
    expect(await terminal.until("[exit 0]")).toStartWith("before\n[exit 0]\n");
    expect([await terminal.isAlternate(), await terminal.hasCursor()]).toEqual([false, true]);
  });

  test("leaves the terminal as it was after Ctrl-C and after SIGTERM", async () => {
    await using server = await startBinary({ TOPICS: "a" });
    using folder = tempFolder();
    const file = join(folder.path, "pid");
    const command = `"${binary()}" top --url ${server.url}`;
    await using terminal = await Terminal.start(command);
    await terminal.until("quit: q");
    await terminal.press("C-c");
    await terminal.until("[exit 0]");
    expect([await terminal.isAlternate(), await terminal.hasCursor()]).toEqual([false, true]);

    await using other = await Terminal.start(`${command} & echo $! > ${file}; wait $!; (exit $?)`);
    await other.until("quit: q");
    process.kill(Number(await Bun.file(file).text()), "SIGTERM");
    await other.until("[exit 0]");
    expect([await other.isAlternate(), await other.hasCursor()]).toEqual([false, true]);
  });

  test("says that the server is gone, and goes on when it is back", async () => {
    const server = await startBinary({ TOPICS: "a" });
    await using terminal = await Terminal.start(`"${binary()}" top --url ${server.url}`);
    await terminal.until("quit: q");
    await server[Symbol.asyncDispose]();
    await terminal.until("Cannot reach");
    await using again = await startBinary({ TOPICS: "another", PORT: String(server.port) });
    expect(again.port).toBe(server.port);
    expect(await terminal.until("another")).not.toContain("Cannot reach");
    await terminal.press("q");
    await terminal.until("[exit 0]");
  });
});
