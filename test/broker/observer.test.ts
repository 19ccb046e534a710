import { expect, test } from "bun:test";
import { Broker, type BrokerLimits } from "../../src/broker/broker.ts";
import type { BrokerObserver } from "../../src/broker/ports.ts";
import { brokerPorts } from "../support/broker-ports.ts";
import { LIMITS } from "../support/limits.ts";
import { FakeOutlet } from "../support/outlet.ts";

/** A broker whose queues hold three events, and all that its observer is told. */
function setUp(limits: Partial<BrokerLimits> = {}) {
  const told: string[] = [];
  const observer: BrokerObserver = {
    subscribed: ({ topic, clientId }) => void told.push(`${clientId} subscribed to ${topic}`),
    ended: ({ topic, clientId }, reason) => void told.push(`${clientId} ended on ${topic}: ${reason}`),
    fellBehind: ({ topic, clientId }) => void told.push(`${clientId} fell behind on ${topic}`),
    caughtUp: ({ clientId }, dropped) => void told.push(`${clientId} caught up, ${dropped} dropped`),
    trimmed: (events, limit) => void told.push(`trimmed ${events} events for ${limit} bytes`),
  };
  const broker = new Broker({ ...LIMITS, maxSubscriberQueue: 3, ...limits }, brokerPorts({ observer }));
  const subscribe = (clientId: string, topic = "t") => {
    const outlet = new FakeOutlet();
    const connection = broker.connect(outlet);
    broker.subscribe(connection, topic, clientId);
    return { outlet, connection };
  };
  /** Publishes so many, each with a flush of its own. */
  const publish = (count: number, payload = "1") => {
    for (let i = 0; i < count; i++) {
      broker.publish("t", [{ id: "i", payload }], "now");
      broker.flush();
    }
  };
  /** What was told since it was last asked. */
  const news = () => told.splice(0);
  return { broker, subscribe, publish, news };
}

type Slow = ReturnType<ReturnType<typeof setUp>["subscribe"]>;

function drain({ outlet, connection }: Slow, room = Number.POSITIVE_INFINITY): void {
  outlet.room = room;
  connection.drained();
}

test("the observer is told once that a subscriber fell behind, and once that it has caught up, time after time", () => {
  const { subscribe, publish, news } = setUp();
  const slow = subscribe("slow");
  const healthy = subscribe("healthy");
  news();
  for (const dropped of [7, 14]) {
    slow.outlet.room = 0;
    publish(3);
    expect(news()).toEqual([]);
    publish(7);
    expect(news()).toEqual(["slow fell behind on t"]);
    drain(slow, 1);
    expect(news()).toEqual([]);
    drain(slow);
    expect(news()).toEqual([`slow caught up, ${dropped} dropped`]);
    publish(1);
    expect(news()).toEqual([]);
  }
  expect(healthy.outlet.story).toHaveLength(22);
});

test("the observer is not told of one whose queue was never full", () => {
  const { subscribe, publish, news } = setUp();
  const slow = subscribe("slow");
  news();
  for (let round = 0; round < 5; round++) {
    slow.outlet.room = 0;
    publish(3);
    drain(slow);
  }
  expect([news(), slow.outlet.story.length]).toEqual([[], 15]);
});

test("the observer is told of each subscription, and why it ended", () => {
  const { broker, subscribe, publish, news } = setUp();
  const [leaving, replaced] = [subscribe("leaving"), subscribe("replaced")];
  subscribe("replaced");
  const [gone, slow, last] = [subscribe("gone"), subscribe("slow"), subscribe("last", "other")];
  broker.subscribe(slow.connection, "t", "slow", { overflow: "disconnect" });
  news();
  broker.unsubscribe(leaving.connection, "t", "leaving");
  broker.disconnect(gone.connection);
  broker.disconnect(replaced.connection);
  slow.outlet.room = 0;
  publish(4);
  broker.deleteTopic("t");
  broker.retire(last.connection, "shutdown");
  expect(news()).toEqual([
    "leaving ended on t: unsubscribed",
    "gone ended on t: disconnected",
    "slow fell behind on t",
    "slow ended on t: too slow",
    "replaced ended on t: topic deleted",
    "last ended on other: shutdown",
  ]);
  subscribe("new");
  subscribe("new");
  expect(news()).toEqual(["new subscribed to t", "new ended on t: taken over", "new subscribed to t"]);
});

test("the observer is told how many events went for want of memory, and of none where there was enough", () => {
  const { broker, publish, news } = setUp({ historyMemoryBytes: 5000 });
  publish(2);
  expect(news()).toEqual([]);
  publish(1, `"${"x".repeat(6000)}"`);
  expect(news()).toEqual(["trimmed 3 events for 5000 bytes"]);
  expect(broker.historyBytes).toBe(0);
});

test("a broker that is closed refuses every request, and goes on to send what was published", () => {
  const { broker, subscribe, publish } = setUp();
  const [fast, slow, late] = [subscribe("fast"), subscribe("slow"), subscribe("late")];
  slow.outlet.room = 0;
  publish(1);
  broker.publish("t", [{ id: "i", payload: "1" }], "now");
  broker.close();
  const message = { id: "i", payload: "1" };
  const requests: Record<string, () => unknown> = {
    publish: () => broker.publish("t", [message], "now", () => expect.unreachable()),
    subscribe: () => broker.subscribe(late.connection, "t", "new"),
    "subscribe again": () => broker.subscribe(late.connection, "t", "late", { last_n: 1 }),
    unsubscribe: () => broker.unsubscribe(late.connection, "t", "late"),
    "create a topic": () => broker.createTopic("new"),
    "create one that is there": () => broker.createTopic("t"),
    "delete a topic": () => broker.deleteTopic("t"),
    "delete one that is not there": () => broker.deleteTopic("none"),
  };
  for (const [what, request] of Object.entries(requests)) {
    expect(request, what).toThrow(expect.objectContaining({ code: "SHUTTING_DOWN" }));
  }
  expect([broker.topics.size, broker.subscriptions, broker.topic("t").log.newest]).toEqual([1, 3, 2]);
  broker.flush();
  expect(fast.outlet.story).toEqual(["1", "2"]);
  expect(slow.outlet.story).toEqual([]);
  drain(slow);
  expect(slow.outlet.story).toEqual(["1", "2"]);
  broker.disconnect(fast.connection);
  broker.retire(slow.connection, "shutdown");
  expect([slow.outlet.story.at(-1), broker.subscriptions]).toEqual(["topic_deleted", 1]);
});
