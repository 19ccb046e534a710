import { expect, test } from "bun:test";
import { MemoryEngine, type MemoryEngineLimits } from "../../src/engine/memory.ts";
import type { LocalBroker } from "../../src/engine/engine.ts";
import type { Published } from "../../src/protocol/encode.ts";
import type { Message } from "../../src/protocol/messages.ts";
import { ID } from "../support/client.ts";
import { NODE } from "../support/make-broker.ts";

const messages = (count: number) => Array.from({ length: count }, (_, i) => ({ id: ID, payload: String(i) }));

/** An engine, and all that its broker is told. */
function setUp(limits: Partial<MemoryEngineLimits> = {}) {
  const told: string[] = [];
  let epochs = 0;
  const broker: LocalBroker = {
    topicCreated: ({ topic, epoch }, seq) => void told.push(`${topic} of ${epoch} created at ${seq}`),
    topicDeleted: (name) => void told.push(`${name} deleted`),
    append: (name, { first, ts, messages: { length } }) =>
      void told.push(`${length} to ${name} from ${first} at ${ts}`),
    epochChanged: () => expect.unreachable(),
    takenOver: () => expect.unreachable(),
    find: () => undefined,
    history: () => {
      throw new Error("Nobody asks for history here");
    },
    topicDetail: () => {
      throw new Error("Nobody asks for details here");
    },
    subscribersOf: () => 3,
    isSubscribed: () => false,
    stats: { topics: 1, subscriptions: 3 },
  };
  const engine = new MemoryEngine(
    { maxTopics: 2, maxMessageBytes: 1000, autoCreateTopics: false, ...limits },
    { broker, clock: { iso: () => "now" }, makeEpoch: () => `e${++epochs}`, node: () => NODE, published: () => {} },
  );
  const accepted: Published[] = [];
  const publish = (name: string, count: number) =>
    engine.publish(name, { messages: messages(count), dedupe: false }, (published) => {
      told.push(`accepted up to ${published.seq}`);
      accepted.push(published);
    });
  return { engine, told, accepted, publish };
}

const use = (engine: MemoryEngine, name: string) =>
  engine.subscribe(name, { clientId: "me", owner: undefined }, { check: () => {}, begin: () => {} });

const protocolError = (code: string) => expect.objectContaining({ name: "ProtocolError", code });

test("MemoryEngine answers plainly, and hands over what it has placed after it was accepted", () => {
  const { engine, told, accepted, publish } = setUp();
  expect(engine.createTopic("t")).toBeUndefined();
  expect(publish("t", 1)).toBeUndefined();
  expect(publish("t", 3)).toBeUndefined();
  expect(told).toEqual([
    "t of e1 created at 0",
    "accepted up to 1",
    "1 to t from 1 at now",
    "accepted up to 4",
    "3 to t from 2 at now",
  ]);
  expect(accepted).toMatchObject([
    { first: 1, seq: 1, ts: "now", text: { topic: "t", epoch: "e1" } },
    { first: 2, seq: 4, ts: "now" },
  ]);
  expect(engine.listTopics()).toEqual([{ name: "t", epoch: "e1", seq: 4, subscribers: 3 }]);
});

test("MemoryEngine gives each life of a topic an epoch of its own, and its numbers begin anew", () => {
  const { engine, told, publish } = setUp();
  engine.createTopic("t");
  publish("t", 5);
  engine.deleteTopic("t");
  engine.createTopic("t");
  publish("t", 1);
  expect(engine.listTopics()).toEqual([{ name: "t", epoch: "e2", seq: 1, subscribers: 3 }]);
  expect(told).toContain("t deleted");
});

test("MemoryEngine creates a topic by its first use only where it may", () => {
  const closed = setUp();
  for (const first of [() => closed.publish("t", 1), () => use(closed.engine, "t")]) {
    expect(first).toThrow(protocolError("TOPIC_NOT_FOUND"));
  }
  expect(closed.told).toEqual([]);
  const open = setUp({ autoCreateTopics: true });
  open.publish("a", 1);
  use(open.engine, "b");
  expect(() => open.engine.findTopic("c")).toThrow(protocolError("TOPIC_NOT_FOUND"));
  expect(() => open.publish("c", 1)).toThrow(protocolError("LIMIT_EXCEEDED"));
  expect(open.engine.listTopics()).toHaveLength(2);
});

test("MemoryEngine refuses a topic that is there, one that is not, and one too many, and changes nothing", () => {
  const { engine, told } = setUp();
  engine.createTopic("a");
  engine.createTopic("b");
  told.length = 0;
  expect(() => engine.createTopic("a")).toThrow(protocolError("TOPIC_EXISTS"));
  expect(() => engine.createTopic("c")).toThrow(protocolError("LIMIT_EXCEEDED"));
  expect(() => engine.deleteTopic("c")).toThrow(protocolError("TOPIC_NOT_FOUND"));
  expect(() => engine.history("c", { most: 1 })).toThrow(protocolError("TOPIC_NOT_FOUND"));
  expect(told).toEqual([]);
});

test("MemoryEngine takes all of a publish or none, and names the message that is too large", () => {
  const { engine, told, publish } = setUp();
  engine.createTopic("t");
  told.length = 0;
  const large = { id: ID, payload: JSON.stringify("x".repeat(1000)) };
  const accepted = () => expect.unreachable();
  const refused = (given: Message[]) => () => engine.publish("t", { messages: given, dedupe: false }, accepted);
  expect(refused([...messages(1), large])).toThrow(/^messages\[1\] makes an event of/);
  expect(refused([large])).toThrow(/^message makes an event of/);
  expect(told).toEqual([]);
  publish("t", 1);
  expect(engine.listTopics()).toMatchObject([{ seq: 1 }]);
});

test("MemoryEngine that is closed refuses everything but to list its topics", () => {
  const { engine, told, publish } = setUp({ autoCreateTopics: true });
  engine.createTopic("t");
  told.length = 0;
  engine.close();
  const requests = [
    () => engine.createTopic("u"),
    () => engine.deleteTopic("t"),
    () => engine.findTopic("t"),
    () => use(engine, "t"),
    () => publish("t", 1),
    () => engine.history("t", { most: 1 }),
  ];
  for (const request of requests) expect(request).toThrow(protocolError("SHUTTING_DOWN"));
  expect(told).toEqual([]);
  expect(engine.listTopics()).toHaveLength(1);
});
