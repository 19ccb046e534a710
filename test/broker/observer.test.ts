import { expect, test } from "bun:test";
import type { BrokerLimits } from "../../src/broker/ports.ts";
import type { BrokerObserver } from "../../src/broker/ports.ts";
import { makeBroker, SILENT } from "../support/make-broker.ts";

import { FakePeer } from "../support/fake-peer.ts";

/** A broker whose queues hold three events, and all that its observer is told. */
function setUp(limits: Partial<BrokerLimits> = {}) {
  const told: string[] = [];
  const observer: BrokerObserver = {
    subscribed: ({ topicName: topic, clientId }) => void told.push(`${clientId} subscribed to ${topic}`),
    ended: ({ topicName: topic, clientId }, reason) => void told.push(`${clientId} ended on ${topic}: ${reason}`),
    fellBehind: ({ topicName: topic, clientId }) => void told.push(`${clientId} fell behind on ${topic}`),
    caughtUp: ({ clientId }, dropped) => void told.push(`${clientId} caught up, ${dropped} dropped`),
    trimmed: (events, limit) => void told.push(`trimmed ${events} events for ${limit} bytes`),
    fault: SILENT.fault,
  };
  const broker = makeBroker({ limits: { maxSubscriberQueue: 3, ...limits }, observer });
  const subscribe = (clientId: string, topic = "t") => {
    const peer = new FakePeer();
    const session = broker.connect(peer);
    broker.subscribe(session, topic, clientId);
    return { peer, session };
  };
  /** Publishes so many, each with a flush of its own. */
  const publish = (count: number, payload = "1") => {
    for (let i = 0; i < count; i++) {
      broker.publish("t", [{ id: "i", payload }]);
      broker.flush();
    }
  };
  /** What was told since it was last asked. */
  const news = () => told.splice(0);
  return { broker, subscribe, publish, news };
}

type Slow = ReturnType<ReturnType<typeof setUp>["subscribe"]>;

function drain({ peer, session }: Slow, room = Number.POSITIVE_INFINITY): void {
  peer.room = room;
  session.drained();
}

test("the observer is told once that a subscriber fell behind, and once that it has caught up, time after time", () => {
  const { subscribe, publish, news } = setUp();
  const slow = subscribe("slow");
  const healthy = subscribe("healthy");
  news();
  for (const dropped of [7, 14]) {
    slow.peer.room = 0;
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
  expect(healthy.peer.story).toHaveLength(22);
});

test("the observer is not told of one whose queue was never full", () => {
  const { subscribe, publish, news } = setUp();
  const slow = subscribe("slow");
  news();
  for (let round = 0; round < 5; round++) {
    slow.peer.room = 0;
    publish(3);
    drain(slow);
  }
  expect([news(), slow.peer.story.length]).toEqual([[], 15]);
});

test("the observer is told of each subscription, and why it ended", () => {
  const { broker, subscribe, publish, news } = setUp();
  const [leaving, replaced] = [subscribe("leaving"), subscribe("replaced")];
  subscribe("replaced");
  const [gone, slow, last] = [subscribe("gone"), subscribe("slow"), subscribe("last", "other")];
  broker.subscribe(slow.session, "t", "slow", { overflow: "disconnect" });
  news();
  broker.unsubscribe(leaving.session, "t", "leaving");
  broker.end(gone.session, "disconnected");
  broker.end(replaced.session, "disconnected");
  slow.peer.room = 0;
  publish(4);
  broker.deleteTopic("t");
  broker.end(last.session, "shutdown");
  expect(news()).toEqual([
    "leaving ended on t: unsubscribed",
    "gone ended on t: disconnected",
    "slow fell behind on t",
    "slow ended on t: too_slow",
    "replaced ended on t: topic_deleted",
    "last ended on other: shutdown",
  ]);
  subscribe("new");
  subscribe("new");
  expect(news()).toEqual(["new subscribed to t", "new ended on t: replaced", "new subscribed to t"]);
});

test("the observer is told how many events went for want of memory, and of none where there was enough", () => {
  const { broker, publish, news } = setUp({ historyMemoryBytes: 5000 });
  publish(2);
  expect(news()).toEqual([]);
  publish(1, `"${"x".repeat(6000)}"`);
  expect(news()).toEqual(["trimmed 3 events for 5000 bytes"]);
  expect(broker.stats.historyBytes).toBe(0);
});

test("a broker that is closed refuses every request, and goes on to send what was published", () => {
  const { broker, subscribe, publish } = setUp();
  const [fast, slow, late] = [subscribe("fast"), subscribe("slow"), subscribe("late")];
  slow.peer.room = 0;
  publish(1);
  broker.publish("t", [{ id: "i", payload: "1" }]);
  broker.engine.close();
  const message = { id: "i", payload: "1" };
  const requests: Record<string, () => unknown> = {
    publish: () => broker.publish("t", [message], () => expect.unreachable()),
    subscribe: () => broker.subscribe(late.session, "t", "new"),
    "subscribe again": () => broker.subscribe(late.session, "t", "late", { last_n: 1 }),
    unsubscribe: () => broker.engine.findTopic("t"),
    "create a topic": () => broker.createTopic("new"),
    "create one that is there": () => broker.createTopic("t"),
    "delete a topic": () => broker.deleteTopic("t"),
    "delete one that is not there": () => broker.deleteTopic("none"),
  };
  for (const [what, request] of Object.entries(requests)) {
    expect(request, what).toThrow(expect.objectContaining({ code: "SHUTTING_DOWN" }));
  }
  expect([broker.stats.topics, broker.stats.subscriptions, broker.topicDetail("t").seq]).toEqual([1, 3, 2]);
  broker.flush();
  expect(fast.peer.story).toEqual(["1", "2"]);
  expect(slow.peer.story).toEqual([]);
  drain(slow);
  expect(slow.peer.story).toEqual(["1", "2"]);
  broker.end(fast.session, "disconnected");
  broker.end(slow.session, "shutdown");
  expect([slow.peer.story.at(-1), broker.stats.subscriptions]).toEqual(["topic_deleted", 1]);
});
