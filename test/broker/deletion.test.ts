import { expect, test } from "bun:test";
import type { BrokerPorts } from "../../src/broker/ports.ts";
import { CLOSE } from "../../src/protocol/codes.ts";
import { makeBroker } from "../support/make-broker.ts";

import { FakePeer } from "../support/fake-peer.ts";

/** A broker whose later turns come when the test says so. */
function setUp(own: Partial<BrokerPorts> = {}) {
  const later: (() => void)[] = [];
  let epochs = 0;
  const broker = makeBroker({ soon: (work) => void later.push(work), makeEpoch: () => `epoch ${++epochs}`, ...own });
  const subscribe = (topic: string, clientId: string, peer = new FakePeer()) => {
    const session = broker.connect(peer);
    const ack = broker.subscribe(session, topic, clientId);
    return { peer, session, clientId, ack };
  };
  const publish = (topic: string, count = 1) => {
    for (let i = 0; i < count; i++) broker.publish(topic, [{ id: "i", payload: "1" }]);
    broker.flush();
  };
  /** Runs what was put off until now. Returns whether there was anything. */
  const turn = () => {
    const works = later.splice(0);
    for (const work of works) work();
    return works.length > 0;
  };
  const turnsLeft = () => {
    let turns = 0;
    while (turn()) turns++;
    return turns;
  };
  return { broker, subscribe, publish, turn, turnsLeft, later };
}

type Member = ReturnType<ReturnType<typeof setUp>["subscribe"]>;

/** A topic that a hundred subscribers have one event of, and that is deleted. */
function deleteTopicOfHundred() {
  const stage = setUp();
  const members = Array.from({ length: 100 }, (_, i) => stage.subscribe("t", `client ${i}`));
  stage.publish("t");
  stage.broker.deleteTopic("t");
  const over = (member: Member) => member.peer.closed !== undefined;
  return { ...stage, members, ended: () => members.filter(over), waiting: () => members.filter((one) => !over(one)) };
}

test("a topic that is deleted is gone at once with all that it counts for, its subscribers some at a time", () => {
  const { broker, members, ended, turn, later } = deleteTopicOfHundred();
  expect([broker.stats.subscriptions, broker.stats.topics, broker.stats.historyBytes]).toEqual([0, 0, 0]);
  const counts = [ended().length];
  while (turn()) {
    counts.push(ended().length);
    expect(broker.stats.subscriptions).toBe(0);
    expect(later.length).toBeLessThanOrEqual(1);
  }
  expect(counts).toEqual([32, 64, 96, 100]);
  for (const { peer } of members) {
    expect([peer.story, peer.closed]).toEqual([["1", "topic_deleted"], CLOSE.topicDeleted]);
  }
});

test("those who wait to be told that their topic is deleted are sent what it had, and nothing of a new one", () => {
  const { publish, subscribe, waiting, turnsLeft } = deleteTopicOfHundred();
  const [one] = waiting();
  if (one === undefined) throw new Error();
  const fresh = subscribe("t", "fresh");
  publish("t", 3);
  expect(one.peer.story).toEqual(["1"]);
  turnsLeft();
  expect(one.peer.story).toEqual(["1", "topic_deleted"]);
  expect([fresh.peer.story, fresh.peer.closed]).toEqual([["1", "2", "3"], undefined]);
});

test("what a deleted topic had not yet sent is sent before its end, or told as lost", () => {
  const { broker, subscribe, publish, turnsLeft } = setUp();
  const members = Array.from({ length: 70 }, (_, i) => subscribe("t", `client ${i}`));
  for (const { peer } of members.slice(35)) peer.room = 0;
  broker.publish("t", [{ id: "i", payload: "1" }]);
  broker.deleteTopic("t");
  publish("t");
  expect(turnsLeft()).toBe(2);
  const stories = members.map(({ peer }) => peer.story);
  expect(stories.slice(0, 35)).toEqual(Array(35).fill(["1", "topic_deleted"]));
  expect(stories.slice(35)).toEqual(Array(35).fill(["1-1", "topic_deleted"]));
});

test("one that hangs up while it waits is told nothing and counts once", () => {
  const { broker, subscribe, waiting, turnsLeft } = deleteTopicOfHundred();
  subscribe("t", "fresh");
  const [gone, ...others] = waiting();
  if (gone === undefined) throw new Error();
  broker.end(gone.session, "disconnected");
  expect(broker.stats.subscriptions).toBe(1);
  turnsLeft();
  expect([gone.peer.story, gone.peer.closed]).toEqual([["1"], undefined]);
  expect(others.map(({ peer }) => peer.closed)).toEqual(others.map(() => CLOSE.topicDeleted));
  expect(broker.stats.subscriptions).toBe(1);
});

test("one that subscribes anew under its id while it waits is told of the end first, and its new one lives", () => {
  const { broker, waiting, publish, turnsLeft } = deleteTopicOfHundred();
  const [back] = waiting();
  if (back === undefined) throw new Error();
  broker.createTopic("other");
  broker.subscribe(back.session, "other", "me");
  const storyBefore = back.peer.story;
  const ack = broker.subscribe(back.session, "t", back.clientId);
  expect(storyBefore).toEqual(["1", "topic_deleted"]);
  expect(ack).toMatchObject({ topic: "t", seq: 0, epoch: broker.topicDetail("t").epoch });
  expect([broker.stats.subscriptions, broker.subscribersOf("other"), broker.subscribersOf("t")]).toEqual([2, 1, 1]);
  turnsLeft();
  publish("t", 2);
  expect(back.peer.story).toEqual(["1", "topic_deleted", "1", "2"]);
  expect(broker.stats.subscriptions).toBe(2);
});

test("one that has no other subscription and subscribes anew while it waits stays connected", () => {
  const { waiting, broker, turnsLeft, publish } = deleteTopicOfHundred();
  const [back, ...others] = waiting();
  if (back === undefined) throw new Error();
  broker.subscribe(back.session, "t", back.clientId);
  turnsLeft();
  publish("t");
  expect([back.peer.story, back.peer.closed]).toEqual([["1", "topic_deleted", "1"], undefined]);
  expect(others.map(({ peer }) => peer.closed)).toEqual(others.map(() => CLOSE.topicDeleted));
  expect(broker.stats.subscriptions).toBe(1);
});

test("one that asks for what it cannot have while it waits is told of the end, and closed as it would have been", () => {
  const { waiting, broker, turnsLeft } = deleteTopicOfHundred();
  const [back] = waiting();
  if (back === undefined) throw new Error();
  expect(() => broker.subscribe(back.session, "t", back.clientId, { queue: 1000 })).toThrow("'queue' is 1000");
  turnsLeft();
  expect([back.peer.story, back.peer.closed, broker.stats.subscriptions]).toEqual([
    ["1", "topic_deleted"],
    CLOSE.topicDeleted,
    0,
  ]);
});

test("one that holds other subscriptions keeps them, and its connection", () => {
  const { broker, subscribe, publish, turnsLeft } = setUp();
  const keeper = subscribe("t", "keeper");
  broker.subscribe(keeper.session, "kept", "keeper");
  for (let i = 0; i < 40; i++) subscribe("t", `client ${i}`);
  broker.deleteTopic("t");
  expect(keeper.peer.story).toEqual([]);
  expect(broker.stats.subscriptions).toBe(1);
  publish("kept");
  turnsLeft();
  expect([keeper.peer.story, keeper.peer.closed]).toEqual([["1", "topic_deleted"], undefined]);
});

test("several topics that are deleted while others wait are ended in the same turns", () => {
  const { broker, subscribe, turnsLeft, later } = setUp();
  const members = ["a", "b", "c"].flatMap((topic) => Array.from({ length: 33 }, (_, i) => subscribe(topic, `${i}`)));
  for (const topic of ["a", "b", "c"]) broker.deleteTopic(topic);
  expect(later).toHaveLength(1);
  expect(turnsLeft()).toBe(3);
  expect(members.map(({ peer }) => peer.closed)).toEqual(members.map(() => CLOSE.topicDeleted));
});

test("a fault with one of those that wait keeps none of the others from being told", () => {
  const { broker, subscribe, later } = setUp();
  const members = Array.from({ length: 100 }, (_, i) => subscribe("t", `client ${i}`));
  const faulty = members.filter((_, i) => i % 33 === 5).map(({ peer }) => peer);
  for (const peer of faulty) {
    peer.notice = () => {
      throw new Error("a fault");
    };
  }
  let faults = 0;
  const guarded = (work: () => void) => {
    try {
      work();
    } catch {
      faults++;
    }
  };
  guarded(() => broker.deleteTopic("t"));
  for (let work = later.shift(); work !== undefined; work = later.shift()) guarded(work);
  expect(faults).toBe(faulty.length);
  const sound = members.filter(({ peer }) => !faulty.includes(peer));
  expect(sound.map(({ peer }) => peer.story)).toEqual(sound.map(() => ["topic_deleted"]));
  expect(broker.stats.subscriptions).toBe(0);
});

test("one whose new subscription is refused while it waits is told of the end and closed all the same", () => {
  const { broker, waiting, turnsLeft } = deleteTopicOfHundred();
  const [back, other] = waiting();
  if (back === undefined || other === undefined) throw new Error();
  broker.createTopic("other");
  const tooLong = () => broker.subscribe(back.session, "other", "me", { queue: 1_000_000 });
  expect(tooLong).toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
  const tooEarly = () => broker.subscribe(other.session, "other", "me", { since: { epoch: "epoch 2", seq: 9 } });
  expect(tooEarly).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  expect([back.peer.story, other.peer.story]).toEqual([["1"], ["1"]]);
  turnsLeft();
  for (const { peer } of [back, other]) {
    expect([peer.story, peer.closed]).toEqual([["1", "topic_deleted"], CLOSE.topicDeleted]);
  }
});

test("what a deleted topic leaves to be ended takes no place of MAX_SUBSCRIPTIONS_PER_CONNECTION", () => {
  const later: (() => void)[] = [];
  const broker = makeBroker({ limits: { maxSubscriptionsPerConnection: 2 }, soon: (work) => void later.push(work) });
  const sessions = Array.from({ length: 100 }, () => broker.connect(new FakePeer()));
  for (const [index, session] of sessions.entries()) {
    for (const topic of ["a", "b"]) broker.subscribe(session, topic, `client ${index}`);
  }
  broker.deleteTopic("a");
  for (const session of sessions) {
    broker.subscribe(session, "c", "me");
    expect(() => broker.subscribe(session, "d", "me")).toThrow("MAX_SUBSCRIPTIONS_PER_CONNECTION is 2");
  }
});
