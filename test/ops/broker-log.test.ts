import { describe, expect, test } from "bun:test";
import { TRANSPORTS } from "../../src/protocol/frames.ts";
import { account } from "../support/account.ts";
import { Client } from "../support/client.ts";
import { metrics, until } from "../support/stats.ts";
import { startServerWithManualHeartbeat } from "../support/heartbeat.ts";
import { overwhelm, publish, publishLarge } from "../support/publish.ts";
import { RawClient } from "../support/raw-client.ts";
import { topicDetail } from "../support/answers.ts";
import { deleteTopic, health, startTestServer } from "../support/server.ts";
import { Subscriber } from "../support/subscriber.ts";

/** The lines that say `words`, without their time. */
function linesOf({ lines }: { lines: readonly string[] }, words: string): string[] {
  return lines.filter((line) => line.includes(words)).map((line) => line.slice(line.indexOf(" ") + 1));
}

describe.each(TRANSPORTS)("the log of a subscriber over %s", (transport) => {
  const who = `transport=${transport} address=127.0.0.1`;

  test("tells that it is too slow once, and once it has caught up what it has lost", async () => {
    const server = startTestServer({ TOPICS: "t", LOG_LEVEL: "info" });
    using stalled = await Subscriber.open(server, transport, { topic: "t", clientId: "me", stalled: true });
    await overwhelm(server, "t", "me");
    const last = await overwhelm(server, "t", "me", 30);
    const behind = "WARN  a subscriber is too slow: its oldest events are dropped";
    expect(linesOf(server, "a subscriber")).toEqual([`${behind} topic=t client_id=me ${who}`]);

    stalled.resume();
    const { gaps } = account(await stalled.takeUntil(last), 0);
    const lost = gaps.reduce((sum, [first, end]) => sum + end - first + 1, 0);
    const caughtUp = "INFO  a subscriber that was too slow has caught up";
    expect(linesOf(server, "a subscriber").slice(1)).toEqual([
      `${caughtUp} topic=t client_id=me ${who} dropped=${lost}`,
    ]);
    // One that keeps up is nothing to speak of.
    await publish(server, "t", [1, 2, 3]);
    await stalled.takeUntil(last + 3);
    // What was held back would be logged at the end.
    await server.stop();
    expect(linesOf(server, "a subscriber")).toHaveLength(2);
  });

  test("tells at debug of its coming and going, and why", async () => {
    await using server = startTestServer({ TOPICS: "t", LOG_LEVEL: "debug" });
    using first = await Subscriber.open(server, transport, { topic: "t", clientId: "me" });
    const came = `DEBUG subscribed topic=t client_id=me ${who}`;
    const went = (reason: string) => `DEBUG subscription ended topic=t client_id=me ${who} reason=${reason}`;
    const lines = () => server.lines.splice(0).map((line) => line.slice(line.indexOf(" ") + 1));
    const subscriptions = () => lines().filter((line) => line.includes("subscri") && line.includes("topic="));
    expect(subscriptions()).toContain(came);

    using second = await Subscriber.open(server, transport, { topic: "t", clientId: "me" });
    expect(subscriptions()).toEqual(expect.arrayContaining([went("replaced"), came]));
    first.cut();
    second.cut();
    await until(async () => (await health(server)).subscribers === 0);
    expect(subscriptions()).toContain(went("disconnected"));

    const slow = { topic: "t", clientId: "me", overflow: "disconnect", stalled: true } as const;
    using third = await Subscriber.open(server, transport, slow);
    while ((await health(server)).subscribers > 0) await publishLarge(server, "t", 10);
    expect(subscriptions()).toContain(went("too_slow"));
    third.cut();

    using fourth = await Subscriber.open(server, transport, { topic: "t", clientId: "me" });
    await deleteTopic(server, "t");
    await fourth.ended;
    expect(subscriptions()).toContain(went("topic_deleted"));
  });

  test("tells at debug that a shutdown has ended it", async () => {
    const server = startTestServer({ TOPICS: "t", LOG_LEVEL: "debug", SHUTDOWN_GRACE_MS: "60000" });
    using subscriber = await Subscriber.open(server, transport, { topic: "t", clientId: "me" });
    await server.stop();
    await subscriber.ended;
    expect(linesOf(server, "subscription ended")).toEqual([
      `DEBUG subscription ended topic=t client_id=me ${who} reason=shutdown`,
    ]);
  });

  test("tells that one gives no sign of life: its topic, client_id and address", async () => {
    await using server = startServerWithManualHeartbeat({ TOPICS: "t", LOG_LEVEL: "warn" });
    using healthy = await Subscriber.open(server, transport, { topic: "t", clientId: "healthy" });
    using _stalled = await Subscriber.open(server, transport, { topic: "t", clientId: "me", stalled: true });
    await healthy.takeUntil(await overwhelm(server, "t", "me"));
    await health(server);
    while (linesOf(server, "no sign of life").length === 0) await server.heartbeat(healthy);
    const words = "WARN  no sign of life from a client through two heartbeats: closing its connection";
    expect(linesOf(server, "no sign of life")).toEqual([`${words} ${who} topic=t client_id=me`]);
  });

  test("tells that a connection is refused where MAX_CONNECTIONS is reached", async () => {
    await using server = startTestServer({ TOPICS: "t", LOG_LEVEL: "warn", MAX_CONNECTIONS: "1" });
    using _first = await Subscriber.open(server, transport, { topic: "t", clientId: "first" });
    using second = await Subscriber.open(server, transport, { topic: "t", clientId: "second" });
    expect(second.received).toMatchObject([{ kind: "refused", code: "LIMIT_EXCEEDED" }]);
    const [line, ...more] = linesOf(server, "MAX_CONNECTIONS");
    expect(more).toEqual([]);
    expect(line).toStartWith(
      transport === "websocket"
        ? "WARN  limit reached: a connection was refused transport=websocket address=127.0.0.1 "
        : "WARN  limit reached: an HTTP request was refused ",
    );
    expect(line).toEndWith(`limit="MAX_CONNECTIONS is 1: that many are in use already"`);
  });
});

test("the log tells at debug that a client has unsubscribed, and at info nothing of coming and going", async () => {
  for (const [level, count] of [
    ["debug", 1],
    ["info", 0],
  ] as const) {
    await using server = startTestServer({ TOPICS: "t", LOG_LEVEL: level });
    await using client = await Client.connect(server);
    await client.subscribe("t", "me");
    await client.ask({ type: "unsubscribe", topic: "t", client_id: "me" });
    expect(linesOf(server, "reason=unsubscribed")).toHaveLength(count);
    expect(linesOf(server, "DEBUG subscribed topic=t client_id=me")).toHaveLength(count);
    await client.close();
    await health(server);
    expect(linesOf(server, "DEBUG connected transport=websocket address=127.0.0.1")).toHaveLength(count);
    await until(async () => linesOf(server, "DEBUG disconnected").length === count);
  }
});

test("the log tells that history was trimmed, by how much and which setting bounds it", async () => {
  const limit = 500_000;
  const server = startTestServer({ TOPICS: "t", LOG_LEVEL: "info", HISTORY_MEMORY_BYTES: String(limit) });
  for (let i = 0; i < 4; i++) await publishLarge(server, "t", 10);
  const words = "WARN  history was trimmed: HISTORY_MEMORY_BYTES is reached";
  const [first] = linesOf(server, "trimmed");
  expect(first).toMatch(new RegExp(`^${words} events=[1-9]\\d* limit=${limit}$`));
  const { seq, history } = await topicDetail(server, "t");
  expect((await metrics(server)).get("pubsub_history_trimmed_total")).toBe(seq - history.messages);
  await server.stop();
  expect(linesOf(server, "trimmed").length).toBeGreaterThan(1);
  for (const line of linesOf(server, "trimmed")) expect(line).toStartWith(words);
});

test("the log tells of a client that does not read its answers, once, and says who it is", async () => {
  await using server = startTestServer({ TOPICS: "t", LOG_LEVEL: "warn", UNREAD_ANSWER_BYTES: "1048576" });
  const deaf = await RawClient.connect(server);
  deaf.send({ type: "subscribe", topic: "t", client_id: "deaf" });
  const ping = { type: "ping", request_id: "x".repeat(100_000) };
  while (linesOf(server, "does not read its answers").length === 0) {
    deaf.send(ping);
    await health(server);
  }
  const words = "WARN  a client does not read its answers: it is read no further until it does";
  const who = "transport=websocket address=127.0.0.1 topic=t client_id=deaf";
  expect(linesOf(server, "does not read")).toEqual([`${words} ${who}`]);
  deaf.cut();
});
