import { beforeAll, expect, test } from "bun:test";
import { CLOSE } from "../../src/protocol/codes.ts";
import { TRANSPORTS } from "../../src/protocol/frames.ts";
import { account } from "../support/account.ts";
import { topicDetail } from "../support/answers.ts";
import { binary, startBinary, type Started } from "../support/binary.ts";
import { goodbye } from "../support/goodbye.ts";
import { publish } from "../support/publish.ts";
import { Subscriber } from "../support/subscriber.ts";

const SUBSCRIBERS = 1000;
const QUEUE = 5;
const SMALL_BUFFER = "16384";
const PAYLOAD = "x".repeat(20_000);
const BATCH = 20;

/** Subscribers that read nothing, half of them over each transport, all of them blocked; what was published, they have lost in part. */
async function startBlocked(graceMs: string) {
  const env = { TOPICS: "t", SHUTDOWN_GRACE_MS: graceMs, SEND_BUFFER_BYTES: SMALL_BUFFER, HEARTBEAT_INTERVAL_MS: "0" };
  const server = await startBinary({ ...env, MAX_SUBSCRIBER_QUEUE: String(QUEUE) });
  const subscribers: Subscriber[] = [];
  for (let i = 0; i < SUBSCRIBERS; i++) {
    const transport = TRANSPORTS[i % TRANSPORTS.length] ?? "sse";
    subscribers.push(await Subscriber.open(server, transport, { topic: "t", clientId: `s${i}`, stalled: true }));
  }
  let seq = 0;
  while (!(await allBlocked(server))) ({ seq } = await publish(server, "t", Array<string>(BATCH).fill(PAYLOAD)));
  const dispose = async () => {
    for (const one of subscribers) one.cut();
    await server[Symbol.asyncDispose]();
  };
  return { server, subscribers, seq, [Symbol.asyncDispose]: dispose };
}

async function allBlocked(server: Started): Promise<boolean> {
  const { subscribers } = await topicDetail(server, "t", `?limit=${SUBSCRIBERS}`);
  expect(subscribers).toHaveLength(SUBSCRIBERS);
  return subscribers.every(({ dropped }) => dropped > 0);
}

beforeAll(() => void binary());

test("SIGTERM amid 1,000 blocked subscribers, who read then: each is told all, and the exit code is 0 before the grace is over", async () => {
  await using stage = await startBlocked("60000");
  const { server, subscribers, seq } = stage;
  server.process.kill("SIGTERM");
  await server.log.until("shutting down");
  for (const one of subscribers) one.resume();
  for (const one of subscribers) {
    expect(await one.ended).toEqual(goodbye(one.transport, CLOSE.shuttingDown));
    const { seqs, gaps } = account(one.received, 0);
    expect([seqs.at(-1), gaps.length > 0]).toEqual([seq, true]);
    expect(one.received.slice(-2)).toMatchObject([
      { kind: "info", msg: "topic_deleted", topic: "t", reason: "shutdown" },
      { kind: "info", msg: "server_shutdown" },
    ]);
  }
  const { connections, told, cut_off } = await server.log.until("stopped");
  expect({ connections, told, cut_off }).toEqual({ connections: SUBSCRIBERS, told: SUBSCRIBERS, cut_off: 0 });
  expect(await server.process.exited).toBe(0);
}, 55_000);

test("SIGTERM amid 1,000 blocked subscribers who never read: each is cut off, and the exit code is 0", async () => {
  await using stage = await startBlocked("500");
  const { server } = stage;
  server.process.kill("SIGTERM");
  const { connections, told, cut_off } = await server.log.until("stopped");
  expect({ connections, told, cut_off }).toEqual({ connections: SUBSCRIBERS, told: 0, cut_off: SUBSCRIBERS });
  expect(await server.process.exited).toBe(0);
}, 55_000);
