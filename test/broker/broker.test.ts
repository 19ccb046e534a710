import { expect, test } from "bun:test";
import { Broker, type BrokerLimits } from "../../src/broker/broker.ts";
import { BATCH_BYTES } from "../../src/broker/ports.ts";
import { LIMITS } from "../support/limits.ts";
import { FakeOutlet } from "../support/outlet.ts";
import { brokerPorts } from "../support/broker-ports.ts";

const OWN_LIMITS: BrokerLimits = { ...LIMITS, maxSubscriberQueue: 3 };

function setUp(limits: Partial<BrokerLimits> = {}) {
  let wakes = 0;
  const broker = new Broker(
    { ...OWN_LIMITS, ...limits },
    brokerPorts({ wake: () => void wakes++, makeEpoch: () => `epoch ${wakes}` }),
  );
  const connect = () => {
    const outlet = new FakeOutlet();
    return { outlet, connection: broker.connect(outlet) };
  };
  const publish = (topic: string, count: number, payload = "1") => {
    for (let i = 0; i < count; i++) broker.publish(topic, [{ id: "i", payload }], "now");
  };
  return { broker, connect, publish, wakes: () => wakes };
}

test("Broker reports the exact gap after an overflow, where it is", () => {
  const { broker, connect, publish } = setUp();
  const { outlet, connection } = connect();
  broker.subscribe(connection, "t", "me", { last_n: 0 });
  outlet.room = 2;
  publish("t", 9);
  broker.flush();
  publish("t", 1);
  outlet.room = Number.POSITIVE_INFINITY;
  connection.drained();
  expect(outlet.story).toEqual(["1", "2", "3", "4-7", "8", "9", "10"]);
});

/** A broker whose topics have as many subscribers as they are named after. */
function setUpMany(topics: string[]) {
  const stage = setUp({ maxSubscriptionsPerConnection: 1000, maxSubscriberQueue: 50, maxTopics: 1000 });
  const { connection } = stage.connect();
  const subscribe = (topic: string) => {
    for (let i = 0; i < Number(topic); i++) stage.broker.subscribe(connection, topic, `client ${i}`, { last_n: 0 });
  };
  for (const topic of topics) subscribe(topic);
  /** A turn of the event loop that brings a message to each of these topics. */
  const turn = (...to: string[]) => {
    for (const topic of to) stage.publish(topic, 1);
    return stage.broker.endTurn();
  };
  return { ...stage, connection, turn };
}

test("Broker gains by another turn while a topic has more than sixteen subscribers for each message", () => {
  const { broker, turn } = setUpMany(["16", "17", "33"]);
  expect(turn("16")).toBe(false);
  broker.flush();
  expect([turn("17"), turn("17")]).toEqual([true, false]);
  broker.flush();
  expect([turn("33"), turn("33"), turn("33")]).toEqual([true, true, false]);
  broker.flush();
  expect(turn("16")).toBe(false);
  broker.flush();
  expect(turn("16", "33")).toBe(true);
  expect(turn("17")).toBe(false);
});

test("Broker gains by another turn only while every turn brings a message, whatever else is asked for", () => {
  const { broker, connection, turn, wakes } = setUpMany(["17", "50"]);
  expect(turn()).toBe(false);
  expect([turn("50"), turn()]).toEqual([true, false]);
  const before = wakes();
  broker.subscribe(connection, "17", "client 0", { last_n: 1 });
  broker.subscribe(connection, "50", "client 0", { last_n: 1 });
  expect(wakes()).toBeGreaterThan(before);
  expect(turn()).toBe(false);
  broker.flush();
  expect(turn("50")).toBe(true);
});

test("Broker does not wait the longer for the messages and the deletion of other topics", () => {
  const { broker, connect, turn } = setUpMany(["17"]);
  const { connection } = connect();
  let turns = 0;
  let waits = true;
  while (waits && turns < 20) {
    const topic = `topic ${turns}`;
    for (let i = 0; i < 16; i++) broker.subscribe(connection, topic, `client ${i}`, { last_n: 0 });
    waits = turn("17", topic);
    broker.deleteTopic(topic);
    turns++;
  }
  expect(turns).toBe(1);
  broker.flush();
  expect([turn("17"), turn("17")]).toEqual([true, false]);
});

test("Broker is full after 32 messages, and where subscribers are many after one for each sixteen of them", () => {
  const { broker, publish } = setUpMany(["1", "528"]);
  const full = (topic: string, count: number) => {
    publish(topic, count);
    return broker.full;
  };
  expect([full("1", 31), full("1", 1), full("528", 0)]).toEqual([false, true, true]);
  expect([full("528", 1), full("1", 1)]).toEqual([true, true]);
  broker.flush();
  expect([full("528", 32), full("1", 1)]).toEqual([false, true]);
});

test("Broker counts nothing asked for as replay against the queue", () => {
  const { broker, connect, publish } = setUp();
  publish("t", 10);
  const { outlet, connection } = connect();
  outlet.room = 1;
  broker.subscribe(connection, "t", "me", { last_n: 8 });
  broker.flush();
  publish("t", 30);
  outlet.room = Number.POSITIVE_INFINITY;
  connection.drained();
  expect(outlet.story).toEqual(["3", "4", "5", "6", "7", "8", "9", "10", "11-37", "38", "39", "40"]);
});

test("Broker drops nothing of a burst for one who is not blocked, and sends it in few batches", () => {
  const { broker, connect, publish } = setUp({ maxHistory: 0 });
  const { outlet, connection } = connect();
  broker.subscribe(connection, "t", "me", { last_n: 0 });
  publish("t", 10);
  broker.flush();
  expect(outlet.story).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
  expect(outlet.batches).toBe(4);
});

test("Broker sends a connection everything of one turn in one batch, whatever the topics", () => {
  const { broker, connect, publish } = setUp();
  const { outlet, connection } = connect();
  for (const topic of ["a", "b", "c"]) broker.subscribe(connection, topic, "me", { last_n: 0 });
  for (const topic of ["a", "b", "c"]) publish(topic, 2);
  broker.flush();
  expect(outlet.sent).toHaveLength(6);
  expect(outlet.batches).toBe(1);
});

test("Broker hands a connection's only subscription the burst that all get, also once its others have ended", () => {
  const { broker, connect, publish } = setUp();
  const { outlet, connection } = connect();
  const burstsOf = (topic: string) => {
    const before = outlet.bursts;
    publish(topic, 2);
    broker.flush();
    return outlet.bursts - before;
  };
  broker.subscribe(connection, "a", "me");
  expect(burstsOf("a")).toBe(1);
  for (const topic of ["b", "c"]) broker.subscribe(connection, topic, "me");
  expect(burstsOf("a")).toBe(0);
  broker.unsubscribe(connection, "b", "me");
  expect(burstsOf("a")).toBe(0);
  broker.unsubscribe(connection, "a", "me");
  expect(burstsOf("c")).toBe(1);
  expect(outlet.story).toEqual(["1", "2", "3", "4", "5", "6", "1", "2"]);
});

test("Broker loses nothing for those whom one outlet's fault keeps from a flush", () => {
  const { broker, connect, publish, wakes } = setUp();
  const clients = [connect(), connect(), connect()];
  for (const [index, { connection }] of clients.entries()) broker.subscribe(connection, "t", `client ${index}`);
  const other = connect();
  broker.subscribe(other.connection, "other", "me");
  publish("t", 1);
  broker.flush();
  const [one, faulty, another] = clients;
  if (one === undefined || faulty === undefined || another === undefined) throw new Error();
  const events = () => [one, another].map(({ outlet }) => outlet.story.length).toSorted();
  faulty.outlet.faulty = true;
  publish("t", 2);
  publish("other", 1);
  const before = wakes();
  expect(() => broker.flush()).toThrow("a fault");
  expect(wakes()).toBe(before + 1);
  faulty.outlet.faulty = false;
  expect([events(), other.outlet.story]).toEqual([[1, 3], []]);
  broker.flush();
  expect([events(), other.outlet.story]).toEqual([[3, 3], ["1"]]);
  publish("t", 1);
  broker.flush();
  for (const { outlet } of clients) expect(outlet.story).toEqual(["1", "2", "3", "4"]);
});

test("Broker loses nothing for the only subscriber of a topic whom its outlet's fault keeps from a flush", () => {
  const { broker, connect, publish } = setUp();
  const { outlet, connection } = connect();
  broker.subscribe(connection, "t", "me");
  publish("t", 1);
  broker.flush();
  for (const count of [1, 2]) {
    outlet.faulty = true;
    publish("t", count);
    expect(() => broker.flush()).toThrow("a fault");
    outlet.faulty = false;
    broker.flush();
  }
  expect(outlet.story).toEqual(["1", "2", "3", "4"]);
});

test.each([1, 2])("Broker hands %i events of other topics out once, whatever topic a fault comes from", (count) => {
  const { broker, connect, publish } = setUp();
  const clients = ["before", "faulty", "after"].map((topic) => ({ topic, ...connect() }));
  for (const { connection, topic } of clients) broker.subscribe(connection, topic, "me");
  const publishToAll = () => {
    for (const { topic } of clients) publish(topic, count);
  };
  const received = () => clients.map(({ outlet }) => outlet.story.length);
  publishToAll();
  broker.flush();
  const faulty = clients[1]?.outlet;
  if (faulty === undefined) throw new Error();
  faulty.faulty = true;
  publishToAll();
  expect(() => broker.flush()).toThrow("a fault");
  expect(received()).toEqual([2 * count, count, count]);
  faulty.faulty = false;
  publishToAll();
  broker.flush();
  expect(received()).toEqual([3 * count, 3 * count, 3 * count]);
  publishToAll();
  broker.flush();
  const seqs = Array.from({ length: 4 * count }, (_, index) => `${index + 1}`);
  for (const { outlet } of clients) expect(outlet.story).toEqual(seqs);
});

test("Broker does not wait for a flush once a batch is full", () => {
  const { broker, connect, publish } = setUp();
  const { outlet, connection } = connect();
  broker.subscribe(connection, "t", "me");
  const half = `"${"x".repeat(BATCH_BYTES / 2)}"`;
  publish("t", 2, half);
  expect(outlet.story).toEqual([]);
  publish("t", 1, half);
  expect(outlet.story).toEqual(["1", "2"]);
  broker.flush();
  expect(outlet.story).toEqual(["1", "2", "3"]);
  expect(outlet.batches).toBe(2);
});

test("Broker waits for a flush again once a full batch is out", () => {
  const { broker, connect, publish } = setUp();
  const { outlet, connection } = connect();
  broker.subscribe(connection, "t", "me");
  publish("u", 1, `"${"x".repeat(BATCH_BYTES)}"`);
  broker.flush();
  publish("t", 1);
  publish("u", 1);
  expect(outlet.story).toEqual([]);
});

test("Broker serves those first whom it served last the time before", () => {
  const { broker, connect, publish } = setUp();
  const served: string[] = [];
  for (const name of ["a", "b", "c"]) {
    const { outlet, connection } = connect();
    broker.subscribe(connection, "t", name);
    const burst = outlet.burst.bind(outlet);
    outlet.burst = (texts, first) => {
      served.push(name);
      burst(texts, first);
    };
  }
  const rounds = [1, 2, 3].map(() => {
    publish("t", 1);
    broker.flush();
    return served.splice(0);
  });
  const [round, next, third] = rounds;
  expect(round?.toSorted()).toEqual(["a", "b", "c"]);
  expect(next).toEqual(round?.toReversed());
  expect(third).toEqual(round);
});

test("Broker lets the topics of one connection take turns", () => {
  const { broker, connect, publish } = setUp({ maxHistory: 100 });
  publish("long", 100, `"${"x".repeat(10_000)}"`);
  publish("short", 1);
  const { outlet, connection } = connect();
  broker.subscribe(connection, "long", "me", { last_n: 100 });
  broker.subscribe(connection, "short", "me", { last_n: 1 });
  broker.flush();
  const at = outlet.sent.findIndex((sent) => typeof sent === "string" && sent.includes('"topic":"short"'));
  expect(at).toBeGreaterThan(0);
  expect(at).toBeLessThan(20);
});

test("Broker wakes its pump for a publish or a replay, and not for a subscription to what is to come", () => {
  const { broker, connect, publish, wakes } = setUp();
  const { connection } = connect();
  broker.subscribe(connection, "t", "me", { last_n: 5 });
  expect(wakes()).toBe(0);
  publish("t", 1);
  expect(wakes()).toBe(1);
  broker.flush();
  broker.subscribe(connection, "t", "again", { last_n: 1 });
  expect(wakes()).toBe(2);
});

test("Broker keeps history within its memory, and says what a subscriber lost by that", () => {
  const { broker, connect, publish } = setUp({ maxHistory: 100, maxSubscriberQueue: 50, historyMemoryBytes: 50_000 });
  const { outlet, connection } = connect();
  broker.subscribe(connection, "t", "me", { last_n: 0 });
  outlet.room = 0;
  publish("t", 30, `"${"x".repeat(4000)}"`);
  broker.flush();
  expect(broker.historyBytes).toBeLessThanOrEqual(50_000);
  outlet.room = Number.POSITIVE_INFINITY;
  connection.drained();
  const oldest = broker.topics.get("t")?.log.oldest ?? 0;
  expect(oldest).toBeGreaterThan(15);
  expect(outlet.story).toEqual([`1-${oldest - 1}`, ...Array.from({ length: 31 - oldest }, (_, i) => `${oldest + i}`)]);
});

test("Broker disconnects one who would rather not have a gap, also where it is for want of memory", () => {
  const { broker, connect, publish } = setUp({ maxHistory: 100, maxSubscriberQueue: 50, historyMemoryBytes: 50_000 });
  const { outlet, connection } = connect();
  broker.subscribe(connection, "t", "me", { overflow: "disconnect" });
  outlet.room = 0;
  publish("t", 30, `"${"x".repeat(4000)}"`);
  broker.flush();
  expect(broker.topic("t").log.oldest).toBeGreaterThan(15);
  expect(outlet.story).toEqual([expect.stringMatching(/^1-\d+$/)]);
  expect(outlet.closed?.code).toBe(1013);
  expect(broker.subscriptions).toBe(0);
});

test("Broker holds a replay that is being sent only within its memory", () => {
  const { broker, connect, publish } = setUp({ maxHistory: 10, historyMemoryBytes: 10_000 });
  publish("t", 10, `"${"x".repeat(700)}"`);
  const { outlet, connection } = connect();
  outlet.room = 1;
  broker.subscribe(connection, "t", "me", { last_n: 10 });
  broker.flush();
  publish("t", 10);
  outlet.room = Number.POSITIVE_INFINITY;
  connection.drained();
  // Too large to be held, so the ring has overwritten part of it: said, not skipped.
  expect(outlet.story).toEqual(["1", "2-7", "8", "9", "10", "11-17", "18", "19", "20"]);
});

test("Broker leaves nothing behind when connections and topics are gone", () => {
  const { broker, connect, publish } = setUp();
  const { outlet, connection } = connect();
  publish("t", 10);
  outlet.room = 1;
  broker.subscribe(connection, "t", "me", { last_n: 10 });
  broker.flush();
  broker.disconnect(connection);
  broker.deleteTopic("t");
  expect([broker.topics.size, broker.subscriptions, broker.historyBytes]).toEqual([0, 0, 0]);
});

test("Broker gives each life of a topic an epoch of its own", () => {
  const { broker, publish } = setUp();
  publish("t", 1);
  const first = broker.topics.get("t")?.epoch;
  broker.deleteTopic("t");
  publish("t", 1);
  expect(broker.topics.get("t")?.epoch).not.toBe(first ?? "");
});
