import { expect, test } from "bun:test";
import { MAX_UNREAD_ANSWERS } from "../../src/transport/reading.ts";
import { range } from "../support/account.ts";
import { Client, ID } from "../support/client.ts";
import { RawClient } from "../support/raw-client.ts";
import { encodeClientFrame } from "../support/websocket-frames.ts";
import { createTopic, deleteTopic, health, startTestServer, stats } from "../support/server.ts";

const message = (payload: unknown) => ({ id: ID, payload });

test("a client id that another connection uses is taken over, and the old one is told and stays open", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  await using ghost = await Client.connect(server);
  await using back = await Client.connect(server);
  await ghost.subscribe("t", "me");
  await ghost.publish("t", 1);
  await ghost.next();
  await back.subscribe("t", "me", 1);
  expect((await back.next()).message?.payload).toBe(1);
  expect(await ghost.next()).toMatchObject({ type: "info", msg: "subscription_replaced", topic: "t" });
  await ghost.publish("t", 2);
  expect((await back.next()).message?.payload).toBe(2);
  expect(await ghost.settle()).toEqual([]);
  expect(await stats(server)).toEqual({ t: { messages: 2, subscribers: 1 } });
});

test("what was published before a takeover, in the same turn, still reaches the old connection", async () => {
  await using server = startTestServer({ FLUSH_INTERVAL_MS: "50" });
  await createTopic(server, "t");
  await using old = await Client.connect(server);
  await using back = await Client.connect(server);
  await old.subscribe("t", "me");
  await back.publish("t", "for the old one");
  await back.subscribe("t", "me");
  await back.publish("t", "for the new one");
  expect((await old.next()).message?.payload).toBe("for the old one");
  expect(await old.next()).toMatchObject({ msg: "subscription_replaced" });
  expect((await back.next()).message?.payload).toBe("for the new one");
});

test("many subscribers are each sent every event in order, whoever comes and goes while a flush waits for more", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  const clients = await Promise.all(Array.from({ length: 50 }, () => Client.connect(server)));
  const [publisher, late, early, replaced, ...others] = clients;
  if (publisher === undefined || late === undefined || early === undefined || replaced === undefined) throw new Error();
  for (const [index, client] of [early, replaced, ...others].entries()) await client.subscribe("t", `client ${index}`);
  const publish = async (first: number, last: number) => {
    for (const i of range(first, last)) await publisher.publish("t", i);
  };
  const payloads = async (client: Client, count: number) =>
    (await client.take(count)).map((frame) => frame.message?.payload);

  await publish(1, 20);
  early.send({ type: "unsubscribe", topic: "t", client_id: "client 0" });
  expect(await payloads(early, 20)).toEqual(range(1, 20));
  expect(await early.next()).toMatchObject({ type: "ack" });
  await publish(21, 41);
  await late.subscribe("t", "client 1", 1);
  await publish(42, 60);
  expect(await payloads(late, 20)).toEqual(range(41, 60));
  expect(await payloads(replaced, 41)).toEqual(range(1, 41));
  expect(await replaced.next()).toMatchObject({ msg: "subscription_replaced" });
  for (const client of others) expect(await payloads(client, 60)).toEqual(range(1, 60));
  for (const client of clients) {
    expect(await client.settle()).toEqual([]);
    await client.close();
  }
});

test("subscribing again under the same id is one subscription, and replays again where asked", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  await using client = await Client.connect(server);
  await client.publish("t", 1);
  await client.publish("t", 2);
  await client.subscribe("t", "me", 1);
  expect((await client.next()).message?.payload).toBe(2);
  await client.subscribe("t", "me");
  expect(await client.settle()).toEqual([]);
  await client.subscribe("t", "me", 5);
  expect((await client.take(2)).map((frame) => frame.message?.payload)).toEqual([1, 2]);
  expect(await health(server)).toMatchObject({ subscribers: 1 });
});

test("two ids on one connection are two subscriptions, each with its own replay", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  await using client = await Client.connect(server);
  await client.publish("t", 1);
  await client.subscribe("t", "a", 1);
  await client.next();
  await client.subscribe("t", "b", 1);
  await client.next();
  client.send({ type: "publish", topic: "t", message: message(2) });
  expect((await client.take(3)).map((frame) => frame.message?.payload)).toEqual([undefined, 2, 2]);
  expect(await stats(server)).toEqual({ t: { messages: 2, subscribers: 2 } });
});

test("unsubscribing from an existing topic is acknowledged, subscribed or not, and from another it is not found", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  await using client = await Client.connect(server);
  const unsubscribe = { type: "unsubscribe", topic: "t", client_id: "me" };
  expect(await client.ask(unsubscribe)).toMatchObject({ type: "ack" });
  expect(await client.ask({ ...unsubscribe, topic: "nowhere" })).toMatchObject({ error: { code: "TOPIC_NOT_FOUND" } });
});

test("a connection keeps its other subscriptions when a topic is deleted", async () => {
  await using server = startTestServer();
  await createTopic(server, "kept");
  await createTopic(server, "gone");
  await using client = await Client.connect(server);
  await client.subscribe("kept", "me");
  await client.subscribe("gone", "me");
  await deleteTopic(server, "gone");
  expect(await client.next()).toMatchObject({ type: "info", msg: "topic_deleted", topic: "gone" });
  await client.publish("kept", 1);
  expect((await client.next()).message?.payload).toBe(1);
  await deleteTopic(server, "kept");
  expect(await client.next()).toMatchObject({ msg: "topic_deleted", topic: "kept" });
  expect(await client.closed).toEqual({ code: 4404, reason: "topic deleted" });
});

test("an ack comes before the publisher's own event, and a request without an id gets none back", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  await using client = await Client.connect(server);
  await client.subscribe("t", "me");
  client.send({ type: "publish", topic: "t", message: message(1) });
  const ack = await client.next();
  expect(Object.keys(ack).sort()).toEqual(["epoch", "seq", "status", "topic", "ts", "type"]);
  expect(await client.next()).toMatchObject({ type: "event", seq: 1 });
  expect(ack.seq).toBe(1);
});

test("each of a burst's acks comes before the publisher's own event, though the first events do not wait for the last", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  const raw = await RawClient.subscribe(server, "me");
  const one = encodeClientFrame(JSON.stringify({ type: "publish", topic: "t", message: message(1) }));
  raw.socket.write(Buffer.concat(Array.from({ length: 45 }, () => one)));
  const frames = (await raw.readUntil(({ length }) => length === 91)).slice(1);
  raw.cut();
  const places = (type: string) => frames.flatMap((frame, place) => (frame.type === type ? [place] : []));
  const [acks, events] = [places("ack"), places("event")];
  for (const places of [acks, events]) expect(places.map((place) => frames[place]?.seq)).toEqual(range(1, 45));
  for (const [index, ack] of acks.entries()) expect(ack).toBeLessThan(events[index] ?? -1);
  expect(events[0]).toBeLessThan(acks.at(-1) ?? -1);
});

test("a topic that is created by its first use exists from then on", async () => {
  await using server = startTestServer({ AUTO_CREATE_TOPICS: "true" });
  await using client = await Client.connect(server);
  await client.subscribe("made by subscribe", "me");
  await client.publish("made by publish", 1);
  expect(Object.keys(await stats(server))).toEqual(["made by subscribe", "made by publish"]);
  const unsubscribe = { type: "unsubscribe", topic: "not made", client_id: "me" };
  expect(await client.ask(unsubscribe)).toMatchObject({ error: { code: "TOPIC_NOT_FOUND" } });
});

test("every limit refuses with its name and value", async () => {
  await using server = startTestServer({
    MAX_TOPICS: "2",
    MAX_SUBSCRIPTIONS_PER_CONNECTION: "1",
    AUTO_CREATE_TOPICS: "1",
  });
  await using client = await Client.connect(server);
  await client.subscribe("a", "me");
  expect(await client.ask({ type: "subscribe", topic: "b", client_id: "me" })).toMatchObject({
    topic: "b",
    error: { code: "LIMIT_EXCEEDED", message: expect.stringContaining("MAX_SUBSCRIPTIONS_PER_CONNECTION is 1") },
  });
  expect(await client.ask({ type: "publish", topic: "c", message: message(1) })).toMatchObject({
    error: { code: "LIMIT_EXCEEDED", message: expect.stringContaining("MAX_TOPICS is 2") },
  });
  expect(await client.subscribe("a", "me", 1)).toMatchObject({ type: "ack" });
});

test("a connection too many is told why and closed, and a place that falls free is given again", async () => {
  await using server = startTestServer({ MAX_CONNECTIONS: "1" });
  const first = await Client.connect(server);
  await using second = await Client.connect(server);
  expect(await second.next()).toMatchObject({
    type: "error",
    error: { code: "LIMIT_EXCEEDED", message: expect.stringContaining("MAX_CONNECTIONS is 1") },
  });
  expect(await second.closed).toEqual({ code: 4429, reason: "limit exceeded" });
  await first.close();
  await using third = await Client.connect(server);
  expect(await third.ask({ type: "ping" })).toMatchObject({ type: "pong" });
});

for (const [what, frame] of [
  ["requests", encodeClientFrame(JSON.stringify({ type: "ping", request_id: "r".repeat(100) }))],
  ["ping frames", encodeClientFrame("p".repeat(100), 9)],
] as const) {
  test(`a client that sends ${what} and reads no answer is not listened to until it does`, async () => {
    await using server = startTestServer();
    const flooder = await RawClient.connect(server);
    const many = Buffer.concat(Array.from({ length: 1000 }, () => frame));
    for (let i = 0; i < 150; i++) flooder.socket.write(many);
    await using other = await Client.connect(server);
    for (let i = 0; i < 200; i++) await other.settle();
    // The server has stopped reading: what the flooder wrote is stuck on its side.
    expect(flooder.socket.writableLength).toBeGreaterThan(MAX_UNREAD_ANSWERS);
    flooder.send({ type: "ping", request_id: "last" });
    const frames = await flooder.readUntil((received) => received.at(-1)?.request_id === "last");
    expect(frames).toHaveLength(what === "requests" ? 150_001 : 1);
    flooder.cut();
  });
}

test("a flood whose sender hangs up is not answered to its end", async () => {
  await using server = startTestServer();
  const flooder = await RawClient.connect(server);
  const many = Buffer.concat(Array.from({ length: 50_000 }, () => encodeClientFrame("{")));
  flooder.socket.write(many);
  flooder.socket.write(many);
  flooder.socket.write(many);
  await using other = await Client.connect(server);
  for (let i = 0; i < 100; i++) await other.settle();
  flooder.cut();
  expect(await other.ask({ type: "ping" })).toMatchObject({ type: "pong" });
});

for (const [sign, give] of [
  ["a frame", (raw: RawClient) => raw.send({ type: "ping" })],
  ["a ping", (raw: RawClient) => raw.socket.write(encodeClientFrame("", 9))],
  ["a pong", (raw: RawClient) => raw.socket.write(encodeClientFrame("", 10))],
] as const) {
  test(`${sign} is a sign of life`, async () => {
    await using server = startTestServer({ HEARTBEAT_INTERVAL_MS: "100" });
    await using clock = await Client.connect(server);
    const raw = await RawClient.connect(server);
    for (let heartbeats = 0; heartbeats < 6; heartbeats++) {
      give(raw);
      await clock.next();
    }
    await raw.readUntil((frames) => frames.some(({ msg }) => msg === "ping"));
    expect(raw.close).toBeUndefined();
    raw.cut();
  });
}

test("a subscriber goes on receiving after a heartbeat", async () => {
  await using server = startTestServer({ HEARTBEAT_INTERVAL_MS: "50", AUTO_CREATE_TOPICS: "true" });
  await using subscriber = await Client.connect(server);
  await using publisher = await Client.connect(server);
  subscriber.send({ type: "subscribe", topic: "t", client_id: "me" });
  // A heartbeat may come first, where the machine is slow.
  while ((await subscriber.next()).type !== "ack");
  for (let heartbeats = 0; heartbeats < 3; heartbeats++) {
    expect(await subscriber.next()).toMatchObject({ type: "info", msg: "ping" });
    publisher.send({ type: "publish", topic: "t", message: { id: ID, payload: heartbeats } });
    let frame = await subscriber.next();
    while (frame.type === "info") frame = await subscriber.next();
    expect(frame).toMatchObject({ type: "event", message: { payload: heartbeats } });
  }
});

test("a dead peer is closed for want of a sign of life, and one that answers is not", async () => {
  await using server = startTestServer({ HEARTBEAT_INTERVAL_MS: "50" });
  await createTopic(server, "t");
  await using alive = await Client.connect(server);
  const dead = await RawClient.connect(server);
  dead.send({ type: "subscribe", topic: "t", client_id: "dead" });
  while ((await health(server)).subscribers < 1) await alive.next();
  while ((await health(server)).subscribers > 0) await alive.next();
  await dead.readUntil(() => dead.close !== undefined);
  expect(dead.close).toEqual({ code: 4408, reason: "no sign of life" });
  expect(await alive.ask({ type: "ping", request_id: 1 })).toBeDefined();
  dead.cut();
});

test("a client that comes back with its position gets everything since, and is told so in the ack", async () => {
  await using server = startTestServer({ MAX_HISTORY: "10" });
  await createTopic(server, "t");
  await using publisher = await Client.connect(server);
  const subscribe = { type: "subscribe", topic: "t", client_id: "me" };
  const first = await Client.connect(server);
  const { epoch } = await first.ask(subscribe);
  await publisher.publish("t", 1);
  const { seq } = await first.next();
  await first.close();
  for (let i = 2; i <= 4; i++) await publisher.publish("t", i);

  await using back = await Client.connect(server);
  const ack = await back.ask({ ...subscribe, since: { epoch, seq } });
  const told = { type: "ack", epoch: epoch ?? "", seq: 4, replay: 3, recovered: true } as const;
  expect(ack).toMatchObject(told);
  expect((await back.take(3)).map((frame) => frame.seq)).toEqual([2, 3, 4]);
  expect(await back.ask({ ...subscribe, client_id: "as text", since: `${epoch}:${seq}` })).toMatchObject(told);
  await back.take(3);
  await back.ask({ type: "unsubscribe", topic: "t", client_id: "as text" });

  for (let i = 5; i <= 20; i++) await publisher.publish("t", i);
  await back.take(16);
  await using late = await Client.connect(server);
  expect(await late.ask({ ...subscribe, client_id: "late", since: { epoch, seq } })).toMatchObject({
    replay: 10,
    recovered: false,
    missed: { first_seq: 2, last_seq: 10 },
  });
});

test("a topic created again under its name is another epoch: nothing of it passes for what was missed", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  await using client = await Client.connect(server);
  const { epoch } = await client.publish("t", "old");
  await deleteTopic(server, "t");
  await createTopic(server, "t");
  await client.publish("t", "new");
  const ack = await client.ask({ type: "subscribe", topic: "t", client_id: "me", since: { epoch, seq: 0 } });
  expect(ack).toMatchObject({ replay: 1, recovered: false });
  expect(ack.epoch).not.toBe(epoch);
  expect(ack).not.toHaveProperty("missed");
});

for (const [asked, problem] of [
  [{ since: { epoch: "e" } }, "'since.seq' must be an integer of 0 or more"],
  [{ since: { epoch: 1, seq: 1 } }, "'since.epoch' must be a string"],
  [{ since: 5 }, "'since' must be a position: EPOCH:SEQ, or an object with epoch and seq"],
  [{ since: "e:" }, "'since' must be a position: EPOCH:SEQ, or an object with epoch and seq"],
  [{ since: "5" }, "'since' must be a position: EPOCH:SEQ, or an object with epoch and seq"],
  [{ since: { epoch: "e", seq: 1 }, last_n: 1 }, "'since' and 'last_n' exclude each other"],
  [{ queue: 0 }, "'queue' must be an integer of 1 or more"],
  [{ overflow: "explode" }, "'overflow' must be one of drop_oldest, latest, disconnect"],
  [{ queue: 51 }, "'queue' is 51, and MAX_SUBSCRIBER_QUEUE is 50"],
] as const) {
  test(`subscribing with ${JSON.stringify(asked)} is refused: ${problem}`, async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    const answer = await client.ask({ type: "subscribe", topic: "t", client_id: "me", ...asked });
    expect(answer).toMatchObject({ type: "error", topic: "t", error: { message: problem } });
    expect(await health(server)).toMatchObject({ subscribers: 0 });
  });
}
