import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { binary, startBinary } from "../support/binary.ts";
import { outcomeOf, runCommand, startCommand } from "../support/command.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { tempFolder } from "../support/proxies.ts";
import { RedisServer, withoutRedis } from "../support/redis.ts";
import { stats } from "../support/server.ts";
import { until } from "../support/stats.ts";

beforeAll(() => void (withoutRedis || binary()));

const ENGINE_TIMEOUT_MS = 500;

/** The executable over a Redis of its own, and the line between them. */
async function setUp() {
  await using undo = new AsyncDisposableStack();
  const redis = undo.use(await RedisServer.start());
  const line = undo.use(new CuttingProxy(redis));
  const ENGINE = `redis://127.0.0.1:${line.port}`;
  const server = undo.use(await startBinary({ ENGINE, ENGINE_TIMEOUT_MS: String(ENGINE_TIMEOUT_MS), TOPICS: "t" }));
  const all = undo.move();
  /** Redis is away, and has been for so long that nobody waits for it any more. */
  const lose = async () => {
    line.refuse();
    line.cut();
    await Bun.sleep(2 * ENGINE_TIMEOUT_MS);
  };
  const isReady = async () => (await fetch(`${server.url}/readyz`)).status === 200;
  const admit = () => {
    line.admit();
    return until(isReady);
  };
  return { redis, server, lose, admit, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

const subscribersOf = async (server: { url: string }) => (await stats(server))["t"]?.subscribers;

/** Resolves once the stream has brought this text, with all that it has brought by then. The rest is not read. */
async function textUntil(stream: ReadableStream<Uint8Array>, text: string): Promise<string> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let all = "";
  while (!all.includes(text)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`No '${text}' in '${all}'`);
    all += decoder.decode(value, { stream: true });
  }
  reader.releaseLock();
  return all;
}

const interrupt = async (child: Subprocess) => {
  child.kill("SIGINT");
  return child.exited;
};

describe.skipIf(withoutRedis)("Over Redis", () => {
  test("sub and record go on in the new epoch, and tell that what came in the old one is not known", async () => {
    await using stage = await setUp();
    const { server, redis } = stage;
    using folder = tempFolder();
    const file = join(folder.path, "t.jsonl");
    const sub = startCommand(server, ["sub", "t", "--count", "2"]);
    const record = startCommand(server, ["record", "t", file, "--count", "2"]);
    await until(async () => (await subscribersOf(server)) === 2);
    await runCommand(server, ["pub", "t", "1"]);
    await until(async () => (await Bun.file(file).exists()) && (await Bun.file(file).text()).includes("\n"));
    await redis.send("FLUSHALL", []);
    expect((await runCommand(server, ["pub", "t", "2"])).code).toBe(0);
    const [read, recorded] = await Promise.all([outcomeOf(sub), outcomeOf(record)]);
    expect(read).toMatchObject({
      code: 0,
      err: "",
      lines: [
        { type: "event", payload: 1 },
        { type: "gap", first_seq: 2, reason: "epoch", status: "missing" },
        { type: "event", payload: 2 },
      ],
    });
    expect(recorded).toMatchObject({
      code: 0,
      err: "pubsub: what came from 2 on is not known: the topic has begun another life\n",
      lines: [{ topic: "t", file, recorded: 2, lost: 0 }],
    });
  });

  test("pub says that it waits while Redis is away, and publishes once it is back", async () => {
    await using stage = await setUp();
    const { server, lose, admit } = stage;
    await lose();
    const one = startCommand(server, ["pub", "t", '"one"']);
    const lines = startCommand(server, ["pub", "t", "-"], { stdin: "1\n2\n3\n" });
    const said = await Promise.all([one, lines].map(({ stderr }) => textUntil(stderr, "\n")));
    for (const text of said) expect(text).toMatch(/^pubsub: Waiting to publish: The engine cannot be reached, .*\n$/);
    await admit();
    expect(await one.exited).toBe(0);
    expect(JSON.parse(await lines.stdout.text())).toMatchObject({ topic: "t", published: 3 });
    expect(await lines.exited).toBe(0);
    expect((await stats(server))["t"]?.messages).toBe(4);
  });

  test("pub that waits for Redis is ended by Ctrl-C", async () => {
    await using stage = await setUp();
    const { server, lose } = stage;
    await lose();
    const child = startCommand(server, ["pub", "t", "1"]);
    await textUntil(child.stderr, "\n");
    expect(await interrupt(child)).toBe(130);
  });

  test("sub and record say what they wait for, and begin once it is there", async () => {
    await using stage = await setUp();
    const { server, lose, admit } = stage;
    using folder = tempFolder();
    await lose();
    const children = [
      startCommand(server, ["sub", "t", "--count", "1"]),
      startCommand(server, ["record", "t", join(folder.path, "t.jsonl"), "--count", "1"]),
    ];
    const said = await Promise.all(children.map(({ stderr }) => textUntil(stderr, "\n")));
    for (const text of said) expect(text).toMatch(/^pubsub: Waiting for 't': The engine cannot be reached, .*\n$/);
    await admit();
    await until(async () => (await subscribersOf(server)) === 2);
    await runCommand(server, ["pub", "t", "1"]);
    for (const child of children) {
      expect(await child.exited).toBe(0);
      expect(await textUntil(child.stderr, "\n")).toBe("pubsub: 't' is there\n");
    }
  });

  test.each(["bench --seconds 1", "top", "topics", "topics create u", "health"])(
    "%s says why it cannot, and waits for nothing",
    async (line) => {
      await using stage = await setUp();
      await stage.lose();
      const { code, err } = await runCommand(stage.server, line.split(" "));
      expect([code, err]).toEqual([1, expect.stringMatching(/^pubsub: The engine cannot be reached, .*\n$/)]);
    },
  );

  test("bench ends when Redis goes while it measures", async () => {
    await using stage = await setUp();
    const { server, lose } = stage;
    const child = startCommand(server, ["bench", "--seconds", "60", "--rate", "50"]);
    await until(async () => Object.keys(await stats(server)).some((topic) => topic.startsWith("bench-")));
    await Bun.sleep(1000);
    await lose();
    const { code, err } = await outcomeOf(child);
    expect([code, err]).toEqual([1, expect.stringMatching(/^pubsub: The engine .*\n$/)]);
  });
});
