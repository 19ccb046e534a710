import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { binary, runBinary, startBinary } from "../support/binary.ts";
import { Client } from "../support/client.ts";
import { tempFolder } from "../support/proxies.ts";
import { createTopic, stats } from "../support/server.ts";

beforeAll(() => void binary());

const NONE = { messages: 0, subscribers: 0 };
const ON_LOOPBACK = { HOST: "127.0.0.1", PORT: "0" };

/** What is said of a command line that does not start a server. */
async function complaintOf(args: string[], env: Record<string, string> = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await runBinary(args, { ...ON_LOOPBACK, ...env });
  expect([exitCode, stdout]).toEqual([2, ""]);
  expect(stderr).toEndWith("\nTry --help.\n");
  return stderr.slice(0, -"\nTry --help.\n".length);
}

describe("topics to create at the start", () => {
  test("are those of TOPICS and of the lines of TOPICS_FILE, one that both name among them", async () => {
    using folder = tempFolder();
    const file = join(folder.path, "topics");
    await Bun.write(file, "b\r\nc d\n\né/ü\n");
    await using server = await startBinary({ TOPICS: "a, b", TOPICS_FILE: file });
    expect(await stats(server)).toEqual({ a: NONE, b: NONE, "c d": NONE, "é/ü": NONE });
  });

  test("of a file that is not there are refused, naming TOPICS_FILE and the file", async () => {
    using folder = tempFolder();
    const file = join(folder.path, "none");
    const complaint = await complaintOf([], { TOPICS_FILE: file });
    expect(complaint).toStartWith("TOPICS_FILE must be a file that can be read: ENOENT");
    expect(complaint).toEndWith(`got '${file}'`);
    expect(await complaintOf([`--topics-file=${folder.path}`])).toStartWith("--topics-file must be a file that can be");
  });

  test("that no topic may be called are refused, naming the setting and the name", async () => {
    using folder = tempFolder();
    const file = join(folder.path, "topics");
    const long = "x".repeat(256);
    await Bun.write(file, `fine\n${long}\n`);
    expect(await complaintOf([], { TOPICS_FILE: file })).toStartWith("TOPICS_FILE must be names of topics, 1 to 255 ");
    expect(await complaintOf([], { TOPICS: `a,${long}` })).toStartWith("TOPICS must be names of topics, 1 to 255 ");
    expect(await complaintOf([], { TOPICS: `a,${long}` })).toContain(`'${long}' is none`);
  });

  test("that are more than MAX_TOPICS are refused, naming all three settings and how many they are", async () => {
    using folder = tempFolder();
    const file = join(folder.path, "topics");
    await Bun.write(file, "b\nc\n");
    const env = { TOPICS: "a,b", TOPICS_FILE: file, MAX_TOPICS: "2" };
    expect(await complaintOf([], env)).toBe(
      "MAX_TOPICS must be 3 or more for the topics that TOPICS and TOPICS_FILE name, got '2'",
    );
    await using server = await startBinary({ ...env, MAX_TOPICS: "3" });
    expect(Object.keys(await stats(server))).toEqual(["a", "b", "c"]);
  });
});

describe("a bad command line", () => {
  test("with a HOST that does not resolve names it, with exit code 2", async () => {
    const HOST = "no-such-host.invalid";
    expect(await complaintOf([], { HOST })).toBe(
      `HOST must be an address of this machine or a name of one, got '${HOST}', which does not resolve`,
    );
  });

  test("with a flag that is not there names the nearest", async () => {
    expect(await complaintOf(["--max-histroy=5"])).toBe("There is no flag --max-histroy; did you mean --max-history?");
  });
});

test("SIGHUP has keys and certificate read again, and does not end the executable", async () => {
  await using server = await startBinary();
  await using client = await Client.connect(server);
  server.process.kill("SIGHUP");
  expect(await server.log.until("keys and certificate were read again")).toMatchObject({
    level: "info",
  });
  expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  expect(server.process.exitCode).toBeNull();
});

test("the last line of the log sums up what the executable did", async () => {
  await using server = await startBinary();
  await createTopic(server, "t");
  const subscriber = await Client.connect(server);
  await subscriber.subscribe("t", "me");
  const publisher = await Client.connect(server);
  for (let i = 0; i < 3; i++) await publisher.publish("t", i);
  await subscriber.take(3);
  server.process.kill("SIGTERM");
  expect(await server.log.until("shutting down")).toMatchObject({ level: "info", signal: "SIGTERM" });
  expect(await server.log.next()).toEqual({
    ts: expect.any(String),
    level: "info",
    msg: "stopped",
    connections: 2,
    told: 2,
    cut_off: 0,
    published: 3,
    delivered: 3,
    dropped: 0,
    uptime_sec: expect.any(Number),
  });
  expect(await server.log.next()).toBeUndefined();
  expect(await server.process.exited).toBe(0);
});

describe.skipIf(process.platform !== "linux")("MAX_CONNECTIONS", () => {
  const FILES = 256;
  const LOWERED = "MAX_CONNECTIONS is lowered to what the limit of open files allows";
  /** Runs the executable where it may have no more than {@link FILES} files open. */
  const limited = (command: string[]) => ["/bin/sh", "-c", `ulimit -n ${FILES} && exec "$0" "$@"`, ...command];

  test("is lowered to what the limit of open files allows, and the log says to what", async () => {
    await using server = await startBinary({ MAX_CONNECTIONS: "300" }, undefined, limited);
    const { level, connections, files } = await server.log.until(LOWERED);
    expect([level, files]).toEqual(["info", FILES]);
    expect(connections).toBeGreaterThan(FILES / 2);
    expect(connections).toBeLessThan(FILES);
  });

  test("that the limit of open files allows stays as it is, and nothing is said of it", async () => {
    await using server = await startBinary({ MAX_CONNECTIONS: "20" }, undefined, limited);
    server.process.kill("SIGTERM");
    expect((await server.log.next())?.msg).toBe("shutting down");
  });
});
