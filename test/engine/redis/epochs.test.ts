import { describe, expect, test } from "bun:test";
import { history, post, problemOf, publishBody, topicDetail, topicUrl } from "../../support/answers.ts";
import { range } from "../../support/account.ts";
import { Client } from "../../support/client.ts";
import { EventStream } from "../../support/event-stream.ts";
import type { Frame } from "../../support/frames.ts";
import { RedisServer, withoutRedis } from "../../support/redis.ts";
import { createTopic, deleteTopic, startTestServer } from "../../support/server.ts";
import { metrics, until } from "../../support/stats.ts";

/** A Redis of its own, and a node that has topic "t" with five messages and a subscriber. */
async function setUp(env: Record<string, string> = {}) {
  const redis = await RedisServer.start("--appendonly", "yes");
  const settings = { ENGINE: redis.url, ENGINE_TIMEOUT_MS: "1000", LOG_LEVEL: "info", ...env };
  const node = startTestServer(settings);
  await createTopic(node, "t");
  const client = await Client.connect(node);
  const { epoch = "" } = await client.subscribe("t", "me");
  for (let n = 1; n <= 5; n++) await publishBody(node, "t", { payload: n });
  await client.take(5);
  const dispose = async () => {
    await client.close();
    await node.stop();
    await redis[Symbol.asyncDispose]();
  };
  return { redis, node, client, epoch, settings, [Symbol.asyncDispose]: dispose };
}

/** Publishes as soon as that is possible. */
async function publishAgain(node: { url: string }, payload: unknown) {
  await until(async () => (await fetch(`${node.url}/readyz`)).status === 200);
  return publishBody(node, "t", { payload });
}

const told = (frame: Frame) => frame.msg ?? frame.message?.payload;

describe.skipIf(withoutRedis)("a topic whose data Redis has lost begins a new epoch", () => {
  test.concurrent("after a flush: its numbers begin anew, and whoever was subscribed is told and goes on", async () => {
    await using stage = await setUp();
    const { redis, node, client, epoch } = stage;
    await redis.send("FLUSHALL", []);
    const { epoch: next, seq } = await publishBody(node, "t", { payload: "new" });
    expect([next === epoch, seq]).toEqual([false, 1]);
    const frames = await client.take(2);
    expect(frames.map(told)).toEqual(["epoch_changed", "new"]);
    expect(frames[0]).toMatchObject({ topic: "t", epoch: next, seq: 0 });
    const problem = await problemOf(await fetch(topicUrl(node, "t", `/messages?since=${epoch}:2`)));
    expect(problem.code).toBe("EPOCH_OVER");
    await using back = await Client.connect(node);
    const ack = await back.ask({ type: "subscribe", topic: "t", client_id: "back", since: `${epoch}:2` });
    expect(ack).toMatchObject({ recovered: false, epoch: next, replay: 1 });
    expect(ack.missed).toBeUndefined();
    expect((await topicDetail(node, "t")).subscribers_total).toBe(2);
    expect(node.lines.filter((line) => /has lost its data/.test(line))).toHaveLength(1);
  });

  test.concurrent("with nobody publishing: it is found out by itself", async () => {
    await using stage = await setUp();
    await stage.redis.send("FLUSHALL", []);
    expect(await stage.client.next()).toMatchObject({ msg: "epoch_changed", seq: 0 });
  });

  test.concurrent("after a restart without data, on every node and over either transport", async () => {
    await using stage = await setUp();
    const { redis, node } = stage;
    await using other = startTestServer(stage.settings);
    await using stream = await EventStream.open(topicUrl(other, "t", "/events"));
    await stream.next();
    await redis.signal("SIGKILL");
    redis.clear();
    await redis.start();
    const { epoch, seq } = await publishAgain(node, "new");
    expect((await stage.client.take(2)).map(told)).toEqual(["epoch_changed", "new"]);
    const [change, event] = await stream.take(2);
    expect(change).toMatchObject({ type: "info", lastEventId: `${epoch}:0` });
    expect(event).toMatchObject({ type: "message", lastEventId: `${epoch}:${seq}` });
  });

  test.concurrent("where only the topic is gone from Redis, and no other", async () => {
    await using stage = await setUp();
    const { redis, node, client, epoch } = stage;
    await createTopic(node, "kept");
    const kept = await topicDetail(node, "kept");
    await redis.send("DEL", ["pubsub:{t}:head"]);
    expect((await publishBody(node, "t", { payload: "new" })).epoch).not.toBe(epoch);
    expect((await client.take(2)).map(told)).toEqual(["epoch_changed", "new"]);
    expect((await topicDetail(node, "kept")).epoch).toBe(kept.epoch);
  });

  test.concurrent("and one that was never used here is put back when it is asked for", async () => {
    await using stage = await setUp();
    await using other = startTestServer(stage.settings);
    await stage.redis.send("DEL", ["pubsub:{t}:head"]);
    expect((await publishBody(other, "t", { payload: "new" })).seq).toBe(1);
    expect((await stage.client.take(2)).map(told)).toEqual(["epoch_changed", "new"]);
  });
});

describe.skipIf(withoutRedis)("a topic on another server than its epoch was made with begins a new one", () => {
  test.concurrent(
    "after a restart with its data: its numbers go on, and nothing of before is lost on the way",
    async () => {
      await using stage = await setUp();
      const { redis, node, client, epoch } = stage;
      await redis.signal("SIGTERM");
      await redis.start();
      const { epoch: next, seq } = await publishAgain(node, "new");
      expect([next === epoch, seq]).toEqual([false, 6]);
      const frames = await client.take(2);
      expect(frames.map(told)).toEqual(["epoch_changed", "new"]);
      expect(frames[0]).toMatchObject({ epoch: next, seq: 5 });
      expect((await history(node, "t")).messages.map((one) => one.seq)).toEqual([6]);
    },
  );

  test.concurrent("and what was published with dedupe before is still not published again", async () => {
    await using stage = await setUp();
    const { redis, node, client, epoch } = stage;
    const message = { id: crypto.randomUUID(), payload: "once", dedupe: true };
    await publishBody(node, "t", message);
    await redis.signal("SIGTERM");
    await redis.start();
    await publishAgain(node, "new");
    expect(await publishBody(node, "t", message)).toMatchObject({ duplicate: true, seq: 6, epoch });
    await publishBody(node, "t", { payload: "last" });
    expect((await client.take(4)).map(told)).toEqual(["once", "epoch_changed", "new", "last"]);
  });

  test.concurrent("on a replica that is behind: no number comes twice within one epoch", async () => {
    await using stage = await setUp();
    const { redis, node, client, epoch } = stage;
    await using replica = await RedisServer.start();
    await replica.follow(redis);
    await replica.send("REPLICAOF", ["NO", "ONE"]);
    for (let n = 6; n <= 9; n++) await publishBody(node, "t", { payload: n });
    expect((await client.take(4)).map(({ seq }) => seq)).toEqual(range(6, 9));
    // The replica takes the place of its master.
    await redis.signal("SIGKILL");
    await using successor = startTestServer({ ...stage.settings, ENGINE: replica.url });
    const { epoch: next, seq } = await publishBody(successor, "t", { payload: "new" });
    expect([next === epoch, seq]).toEqual([false, 6]);
    await using back = await Client.connect(successor);
    const ack = await back.ask({ type: "subscribe", topic: "t", client_id: "back", since: `${epoch}:9` });
    expect(ack).toMatchObject({ recovered: false, epoch: next, seq: 6, replay: 1 });
  });

  test.concurrent("whose nodes still get from the old stream what a channel has not brought", async () => {
    await using stage = await setUp();
    const { redis, node, client } = stage;
    await using other = startTestServer(stage.settings);
    await using reader = await Client.connect(other);
    await reader.subscribe("t", "reader");
    // Nobody hears the channel of these: they are put into the stream behind everybody's back.
    await redis.send("XADD", ["pubsub:{t}:stream", "6-0", "h", "1790000000000 ", "m", `${crypto.randomUUID()}"quiet"`]);
    await redis.send("HSET", ["pubsub:{t}:head", "seq", "6"]);
    await redis.signal("SIGTERM");
    await redis.start();
    await publishAgain(node, "new");
    for (const one of [client, reader])
      expect((await one.take(3)).map(told)).toEqual(["quiet", "epoch_changed", "new"]);
  });
});

describe.skipIf(withoutRedis)("a channel that loses something without a word", () => {
  test.concurrent("is found out about, and what it lost is read from the stream", async () => {
    await using stage = await setUp();
    const { redis, node, client } = stage;
    await redis.send("XADD", ["pubsub:{t}:stream", "6-0", "h", "1790000000000 ", "m", `${crypto.randomUUID()}"quiet"`]);
    await redis.send("HSET", ["pubsub:{t}:head", "seq", "6"]);
    expect(await client.next()).toMatchObject({ type: "event", seq: 6, message: { payload: "quiet" } });
    expect((await metrics(node)).get("pubsub_engine_messages_filled_total")).toBe(1);
  });

  test.concurrent("before a later message comes, if there is one", async () => {
    await using stage = await setUp();
    const { redis, node, client } = stage;
    await redis.send("XADD", ["pubsub:{t}:stream", "6-0", "h", "1790000000000 ", "m", `${crypto.randomUUID()}"quiet"`]);
    await redis.send("HSET", ["pubsub:{t}:head", "seq", "6"]);
    await publishBody(node, "t", { payload: "later" });
    expect((await client.take(2)).map(({ seq, message }) => [seq, message?.payload])).toEqual([
      [6, "quiet"],
      [7, "later"],
    ]);
  });

  test.concurrent("is told as an exact gap where the stream does not have it any more", async () => {
    await using stage = await setUp();
    const { redis, node, client } = stage;
    await redis.send("HSET", ["pubsub:{t}:head", "seq", "9"]);
    await publishBody(node, "t", { payload: "later" });
    const [gap, event] = await client.take(2);
    expect(gap).toMatchObject({ error: { code: "SLOW_CONSUMER", dropped: 4, first_seq: 6, last_seq: 9 } });
    expect(event).toMatchObject({ seq: 10 });
  });

  test.concurrent("and is killed is heard anew", async () => {
    await using stage = await setUp();
    const { redis, node, client } = stage;
    for (let n = 6; n < 30; n++) {
      if (n % 4 === 0) await redis.send("CLIENT", ["KILL", "TYPE", "pubsub"]);
      await publishBody(node, "t", { payload: n });
    }
    expect((await client.take(24)).map(({ seq }) => seq)).toEqual(range(6, 29));
  });
});

describe.skipIf(withoutRedis)("scripts that Redis has forgotten", () => {
  test.concurrent("are loaded again, and publishes keep their order", async () => {
    await using stage = await setUp();
    const { redis, client } = stage;
    await redis.send("SCRIPT", ["FLUSH"]);
    for (let n = 6; n <= 40; n++) {
      client.send({ type: "publish", request_id: n, topic: "t", message: { id: crypto.randomUUID(), payload: n } });
    }
    const frames = await client.take(70);
    expect(frames.flatMap((frame) => (frame.type === "ack" ? [frame.seq] : []))).toEqual(range(6, 40));
    expect(frames.flatMap((frame) => (frame.type === "event" ? [frame.message.payload] : []))).toEqual(range(6, 40));
  });
});

describe.skipIf(withoutRedis)("a topic that was deleted while a node was away", () => {
  test.concurrent("is gone there, too, once it is back", async () => {
    await using stage = await setUp();
    const { redis, node, client, settings } = stage;
    await using other = startTestServer(settings);
    await redis.send("CLIENT", ["KILL", "TYPE", "pubsub"]);
    await deleteTopic(other, "t");
    await createTopic(other, "t");
    expect(await client.next()).toMatchObject({ msg: "topic_deleted" });
    expect((await post(node, "t", { payload: 1 })).status).toBe(200);
  });
});
