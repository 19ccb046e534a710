import { describe, expect, test } from "bun:test";
import { TRANSPORTS } from "../../src/protocol/frames.ts";
import { CLOSE } from "../../src/protocol/codes.ts";
import { account, range } from "../support/account.ts";
import { Client } from "../support/client.ts";
import { metrics, until } from "../support/stats.ts";
import { topicDetail } from "../support/answers.ts";
import { goodbye } from "../support/goodbye.ts";
import { startServerWithManualHeartbeat } from "../support/heartbeat.ts";
import { overwhelm, publish, publishLarge } from "../support/publish.ts";
import { RawClient } from "../support/raw-client.ts";
import { encodeClientFrame, OPCODES, UPGRADE } from "../support/websocket-frames.ts";
import { receivedOf, type Received } from "../support/received.ts";
import { createTopic, deleteTopic, health, startPatientServer } from "../support/server.ts";
import { Subscriber } from "../support/subscriber.ts";
import { WebSocketReader } from "../support/websocket-reader.ts";

/** Bun drops a WebSocket that it was told to close after 4 s at most, with whatever its client has not taken. */
const LONGER_THAN_BUN_WAITS_MS = 8000;
/** Longer than any test. */
const NEVER = "3600000";

const DELETED: Received = { kind: "info", msg: "topic_deleted", topic: "t" };
const SHUTDOWN: Received = { kind: "info", msg: "server_shutdown" };

/** Publishes until the kernel takes nothing more for the reader, who has lost all of what came last. Returns the newest `seq`. */
async function saturate(server: { url: string }): Promise<number> {
  const dropped = async () => (await topicDetail(server, "t")).subscribers[0]?.dropped ?? Number.NaN;
  let [seq, before, after] = [await overwhelm(server, "t", "me"), 0, await dropped()];
  do {
    before = after;
    seq = await publishLarge(server, "t", 50);
    after = await dropped();
  } while (after < before + 50);
  return seq;
}

const stall = () => Bun.sleep(LONGER_THAN_BUN_WAITS_MS);

/** All at once: what takes long here is that nobody reads. */
describe.concurrent("a reader that stalls for longer than Bun waits reads to the end", () => {
  for (const transport of TRANSPORTS) {
    const wish = { topic: "t", clientId: "me", stalled: true };

    test(`over ${transport}: its topic is deleted`, async () => {
      await using server = startPatientServer({ CLOSE_GRACE_MS: NEVER });
      await createTopic(server, "t");
      using reader = await Subscriber.open(server, transport, wish);
      const last = await saturate(server);
      await deleteTopic(server, "t");
      await stall();
      reader.resume();
      expect(await reader.ended).toEqual(goodbye(transport, CLOSE.topicDeleted));
      expect(account(reader.received, 0).gaps.at(-1)?.[1]).toBe(last);
      expect(reader.received.slice(-2)).toMatchObject([{ kind: "gap" }, DELETED]);
      await reader.disconnected;
      expect(server.lines).toEqual([]);
    });

    test(`over ${transport}: its topic is deleted, and the kernel has taken everything`, async () => {
      await using server = startPatientServer({ CLOSE_GRACE_MS: NEVER });
      await createTopic(server, "t");
      using reader = await Subscriber.open(server, transport, wish);
      await publishLarge(server, "t", 5);
      await deleteTopic(server, "t");
      await stall();
      reader.resume();
      expect(await reader.ended).toEqual(goodbye(transport, CLOSE.topicDeleted));
      expect(account(reader.received, 0)).toEqual({ seqs: range(1, 5), gaps: [] });
      expect(reader.received.at(-1)).toMatchObject(DELETED);
      await reader.disconnected;
    });

    test(`over ${transport}: it is too slow for what it asked for`, async () => {
      // A queue so long that the kernel takes nothing more before it is full.
      await using server = startPatientServer({ CLOSE_GRACE_MS: NEVER, MAX_SUBSCRIBER_QUEUE: "200" });
      await createTopic(server, "t");
      using reader = await Subscriber.open(server, transport, { ...wish, overflow: "disconnect" });
      while ((await health(server)).subscribers > 0) await publishLarge(server, "t", 10);
      await stall();
      reader.resume();
      expect(await reader.ended).toEqual(goodbye(transport, CLOSE.slowConsumer));
      const { seqs, gaps } = account(reader.received, 0);
      expect(gaps).toEqual([[seqs.length + 1, expect.any(Number)]]);
      expect(reader.received.at(-1)).toMatchObject({ kind: "gap" });
      await reader.disconnected;
    });

    test(`over ${transport}: it has given no sign of life`, async () => {
      await using server = startServerWithManualHeartbeat({ CLOSE_GRACE_MS: "60000" });
      await createTopic(server, "t");
      using reader = await Subscriber.open(server, transport, wish);
      const last = await saturate(server);
      while ((await health(server)).subscribers > 0) await server.heartbeat();
      await stall();
      reader.resume();
      expect(await reader.ended).toEqual(goodbye(transport, CLOSE.noSignOfLife));
      expect(account(reader.received, 0).gaps.at(-1)?.[1]).toBe(last);
      expect(reader.received.filter(({ kind }) => kind !== "heartbeat").at(-1)).toMatchObject({ kind: "gap" });
      await reader.disconnected;
    });

    test(`over ${transport}: the server shuts down`, async () => {
      const server = startPatientServer({ SHUTDOWN_GRACE_MS: NEVER, CLOSE_GRACE_MS: NEVER });
      await createTopic(server, "t");
      using reader = await Subscriber.open(server, transport, wish);
      const last = await saturate(server);
      const stopped = server.stop();
      await stall();
      reader.resume();
      expect(await reader.ended).toEqual(goodbye(transport, CLOSE.shuttingDown));
      const { seqs, gaps } = account(reader.received, 0);
      expect(gaps).not.toEqual([]);
      expect(seqs.slice(-50)).toEqual(range(last - 49, last));
      expect(reader.received.slice(-2)).toMatchObject([DELETED, SHUTDOWN]);
      await stopped;
      expect(server.lines).toEqual([]);
    });

    test(`over ${transport}: the server shuts down, and the kernel has taken everything`, async () => {
      const server = startPatientServer({ SHUTDOWN_GRACE_MS: NEVER, CLOSE_GRACE_MS: NEVER });
      await createTopic(server, "t");
      using reader = await Subscriber.open(server, transport, wish);
      await publishLarge(server, "t", 5);
      const stopped = server.stop();
      await stall();
      reader.resume();
      expect(await reader.ended).toEqual(goodbye(transport, CLOSE.shuttingDown));
      expect(account(reader.received, 0)).toEqual({ seqs: range(1, 5), gaps: [] });
      expect(reader.received.slice(-2)).toMatchObject([DELETED, SHUTDOWN]);
      await stopped;
    });
  }

  test("and sends pings of its own before it reads", async () => {
    await using server = startPatientServer({ CLOSE_GRACE_MS: NEVER });
    await createTopic(server, "t");
    const raw = await RawClient.subscribe(server, "me");
    // Little enough for the system of the client to take all of it.
    await publish(server, "t", Array<string>(5).fill("x".repeat(20_000)));
    await deleteTopic(server, "t");
    await stall();
    for (let i = 0; i < 5; i++) {
      raw.socket.write(encodeClientFrame("", OPCODES.ping));
      await Bun.sleep(10);
    }
    await raw.readUntil(() => raw.close !== undefined);
    expect(raw.close).toEqual(CLOSE.topicDeleted);
    expect(
      account(
        raw.frames.map((frame) => receivedOf(frame)),
        0,
      ).seqs,
    ).toEqual(range(1, 5));
    raw.cut();
  });

  test("with several subscriptions, of which one is too slow: the gaps of the others before the close", async () => {
    await using server = startPatientServer({ CLOSE_GRACE_MS: NEVER, MAX_SUBSCRIBER_QUEUE: "200" });
    const topics = ["slow", "other", "third"];
    for (const topic of topics) await createTopic(server, topic);
    const raw = await RawClient.connect(server);
    const subscribe = { type: "subscribe", client_id: "me" };
    raw.send({ ...subscribe, topic: "slow", overflow: "disconnect" });
    raw.send({ ...subscribe, topic: "other" });
    raw.send({ ...subscribe, topic: "third", queue: 2 });
    await raw.readUntil(({ length }) => length === 3);
    const newest = new Map<string, number>();
    while ((await health(server)).subscribers > 0) {
      // The one that ends it comes last, so that all of the others was published while it was subscribed.
      for (const topic of ["other", "third", "slow"]) newest.set(topic, await publishLarge(server, topic, 10));
    }
    await stall();
    await raw.readUntil(() => raw.close !== undefined);
    expect(raw.close).toEqual(CLOSE.slowConsumer);
    for (const topic of topics) {
      const own = raw.frames.filter((frame) => frame.topic === topic).map((frame) => receivedOf(frame));
      expect(own.at(-1), topic).toMatchObject({ kind: "gap" });
      // The publish that filled the queue was one of ten, of which the later ones had no subscriber any more.
      const told = account(own, 0).gaps.at(-1)?.[1] ?? 0;
      if (topic === "slow") expect(told).toBeWithin((newest.get(topic) ?? 0) - 9, (newest.get(topic) ?? 0) + 1);
      else expect(told, topic).toBe(newest.get(topic) ?? Number.NaN);
    }
    raw.cut();
  });

  test.skipIf(process.platform !== "linux")(
    "who answers no ping, too: the kernel tells that all was read",
    async () => {
      await using server = startPatientServer({ CLOSE_GRACE_MS: NEVER });
      await createTopic(server, "t");
      const raw = await RawClient.subscribe(server, "me");
      const last = await saturate(server);
      // Unread answers as well: of these there is always something that the kernel does not take.
      const ping = encodeClientFrame(JSON.stringify({ type: "ping", request_id: "r".repeat(100) }));
      raw.socket.write(Buffer.concat(Array<Buffer>(10_000).fill(ping)));
      await using other = await Client.connect(server);
      for (let i = 0; i < 50; i++) await other.settle();
      await deleteTopic(server, "t");
      await stall();
      await raw.readUntil(() => raw.close !== undefined);
      expect(raw.close).toEqual(CLOSE.topicDeleted);
      const pongs = raw.frames.filter(({ type }) => type === "pong");
      expect(pongs).toHaveLength(10_000);
      const received = raw.frames.filter(({ type }) => type !== "pong").map((frame) => receivedOf(frame));
      expect(account(received, 0).gaps.at(-1)?.[1]).toBe(last);
      expect(received.at(-1)).toMatchObject(DELETED);
      raw.cut();
    },
  );

  for (const [whether, early] of [
    ["silent", []],
    ["with a request sent already", [encodeClientFrame('{"type":"ping"}')]],
  ] as const) {
    test(`one client too many, ${whether}: why, and the close frame`, async () => {
      await using server = startPatientServer({ MAX_CONNECTIONS: "1" });
      const first = await RawClient.connect(server);
      const texts: string[] = [];
      const closed = Promise.withResolvers<void>();
      const reader = new WebSocketReader(
        (_frame, text) => void texts.push(text),
        () => {},
      );
      const socket = await Bun.connect({
        hostname: "127.0.0.1",
        port: server.port,
        socket: { data: (_socket, bytes) => reader.push(bytes), close: () => closed.resolve() },
      });
      socket.pause();
      socket.write(Buffer.concat([Buffer.from(UPGRADE), ...early]));
      const errors = async () => (await metrics(server)).get('pubsub_errors_total{code="LIMIT_EXCEEDED"}');
      await until(async () => (await errors()) === 1);
      await stall();
      expect(reader.open).toBe(false);
      socket.resume();
      await closed.promise;
      expect(texts).toEqual([expect.stringContaining("MAX_CONNECTIONS is 1")]);
      expect(reader.close).toEqual(CLOSE.limitExceeded);
      first.cut();
    });
  }
});
