import { beforeAll, describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { CLOSE } from "../../src/protocol/codes.ts";
import { residentBytes } from "../bench/process-usage.ts";
import { binary } from "../support/binary.ts";
import { Client } from "../support/client.ts";
import { freePort, tempFolder } from "../support/proxies.ts";
import { until } from "../support/stats.ts";

/** Of a line that one subscription or its end is logged as. */
const ID_BYTES = 255;
/** Subscriptions of one round, each with two lines in the log. */
const ROUND = 3000;
/** What the process needs until its memory stands still. */
const WARM_UP_ROUNDS = 6;
const ROUNDS = 48;

/** Starts the executable with a log on `path`, of which it is asked for as much as there can be. */
async function startLoggingTo(path: string, flags: string) {
  const stdout = openSync(path, flags);
  const port = freePort();
  const env = { HOST: "127.0.0.1", PORT: String(port), LOG_FORMAT: "json", LOG_LEVEL: "debug", TOPICS: "t,churn" };
  const process = Bun.spawn([binary()], { env, stdin: "ignore", stdout, stderr: "ignore" });
  const dispose = async () => {
    process.kill("SIGKILL");
    await process.exited;
    closeSync(stdout);
  };
  const server = { process, wsUrl: `ws://127.0.0.1:${port}/ws`, [Symbol.asyncDispose]: dispose };
  const answers = () => fetch(`http://127.0.0.1:${port}/livez`).then(({ ok }) => ok);
  await until(() => answers().catch(() => false));
  return server;
}

type Server = Awaited<ReturnType<typeof startLoggingTo>>;

/** Subscribes and unsubscribes a round, and waits for the answers. Returns how many lines the log has of it. */
async function churn(client: Client): Promise<number> {
  for (let i = 0; i < ROUND; i++) {
    for (const type of ["subscribe", "unsubscribe"]) {
      client.send({ type, topic: "churn", client_id: "x".repeat(ID_BYTES) });
    }
  }
  expect((await client.take(2 * ROUND)).filter(({ type }) => type !== "ack")).toEqual([]);
  return 2 * ROUND;
}

/** Serves on, to the end. Returns by how much memory grew, and how many bytes the log had meanwhile, at the least. */
async function serveOn(server: Server): Promise<{ grown: number; logged: number }> {
  await using subscriber = await Client.connect(server);
  await subscriber.subscribe("t", "me");
  await using publisher = await Client.connect(server);
  await using churner = await Client.connect(server);
  let before = 0;
  let lines = 0;
  for (let round = 1; round <= WARM_UP_ROUNDS + ROUNDS; round++) {
    const logged = await churn(churner);
    expect(await publisher.publish("t", round)).toMatchObject({ seq: round });
    expect(await subscriber.next()).toMatchObject({ type: "event", seq: round });
    if (round === WARM_UP_ROUNDS) before = residentBytes(server.process.pid);
    if (round > WARM_UP_ROUNDS) lines += logged;
  }
  const grown = residentBytes(server.process.pid) - before;
  server.process.kill("SIGTERM");
  expect(await subscriber.closed).toEqual(CLOSE.shuttingDown);
  expect(await server.process.exited).toBe(0);
  return { grown, logged: lines * ID_BYTES };
}

beforeAll(() => void binary());

describe.skipIf(process.platform !== "linux")("the executable serves on, and stops as told, while its log goes", () => {
  test("to a full disk; memory does not grow by what cannot be written", async () => {
    await using server = await startLoggingTo("/dev/full", "w");
    const { grown, logged } = await serveOn(server);
    expect(grown).toBeLessThan(logged / 2);
  });

  test("to a pipe that nobody reads; memory does not grow by what waits for a reader", async () => {
    using folder = tempFolder();
    const pipe = join(folder.path, "log");
    Bun.spawnSync(["mkfifo", pipe]);
    // Open for both, so that opening it does not wait and the pipe never breaks.
    await using server = await startLoggingTo(pipe, "r+");
    const { grown, logged } = await serveOn(server);
    expect(grown).toBeLessThan(logged / 2);
  });
});
