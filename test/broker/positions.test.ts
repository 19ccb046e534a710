import { expect, test } from "bun:test";
import type { SubscribeOptions } from "../../src/broker/recovery.ts";
import { ProtocolError } from "../../src/protocol/codes.ts";
import { LIMITS, makeBroker } from "../support/make-broker.ts";
import { FakePeer } from "../support/fake-peer.ts";

/** A topic "t" of epoch "e" that has published 1 to 20, of which history keeps the newest `maxHistory`. */
function published(maxHistory = 5) {
  const limits = { ...LIMITS, maxHistory, maxSubscriberQueue: 4 };
  const broker = makeBroker({ limits });
  const publish = (count: number) => {
    for (let i = 0; i < count; i++) broker.publish("t", [{ id: "i", payload: "1" }]);
    broker.flush();
  };
  publish(20);
  const subscribe = (options: SubscribeOptions) => {
    const peer = new FakePeer();
    const session = broker.connect(peer);
    const { topic, epoch, seq, ...replay } = broker.subscribe(session, "t", "me", options);
    broker.flush();
    expect([topic, epoch, seq]).toEqual(["t", "e", 20]);
    return { peer, session, replay, story: peer.story };
  };
  return { broker, publish, subscribe };
}

test("since replays everything after the position that history still holds", () => {
  const { subscribe } = published();
  const { replay, story } = subscribe({ since: { epoch: "e", seq: 17 } });
  expect(replay).toEqual({ replay: 3, recovered: true });
  expect(story).toEqual(["18", "19", "20"]);
});

test("since the newest, or the oldest that is just in history, is recovered", () => {
  const { subscribe } = published();
  expect(subscribe({ since: { epoch: "e", seq: 20 } })).toMatchObject({
    replay: { replay: 0, recovered: true },
    story: [],
  });
  const { replay, story } = subscribe({ since: { epoch: "e", seq: 15 } });
  expect(replay).toEqual({ replay: 5, recovered: true });
  expect(story).toEqual(["16", "17", "18", "19", "20"]);
});

test("since a position that history has lost names exactly what is gone, and replays the rest", () => {
  const { subscribe } = published();
  const { replay, story } = subscribe({ since: { epoch: "e", seq: 12 } });
  expect(replay).toEqual({ replay: 5, recovered: false, missed: { first_seq: 13, last_seq: 15 } });
  expect(story).toEqual(["16", "17", "18", "19", "20"]);
});

test("since is bounded by history, whatever else the ring holds, down to none", () => {
  const { subscribe } = published(0);
  const { replay, story } = subscribe({ since: { epoch: "e", seq: 18 } });
  expect(replay).toEqual({ replay: 0, recovered: false, missed: { first_seq: 19, last_seq: 20 } });
  expect(story).toEqual([]);
});

test("since another epoch is not recovered, names nothing as missed, and replays what history holds", () => {
  const { subscribe } = published();
  const { replay, story } = subscribe({ since: { epoch: "another", seq: 19 } });
  expect(replay).toEqual({ replay: 5, recovered: false });
  expect(story).toEqual(["16", "17", "18", "19", "20"]);
});

test("since a seq that the epoch has not reached is refused", () => {
  const { subscribe, broker } = published();
  const refused = () => subscribe({ since: { epoch: "e", seq: 21 } });
  expect(refused).toThrow(new ProtocolError("BAD_REQUEST", "There is no seq 21 in this epoch yet: the newest is 20"));
  expect(broker.stats.subscriptions).toBe(0);
});

test("latest sends one that fell behind the newest only, without an error", () => {
  const { subscribe, publish } = published();
  const { peer, session } = subscribe({ queue: 2, overflow: "latest" });
  peer.room = 0;
  publish(2);
  peer.room = Number.POSITIVE_INFINITY;
  session.drained();
  peer.room = 0;
  publish(9);
  peer.room = Number.POSITIVE_INFINITY;
  session.drained();
  expect(peer.story).toEqual(["21", "22", "31"]);
});

test("disconnect tells what was not sent and closes with 1013 as soon as the queue is full", () => {
  const { subscribe, publish, broker } = published();
  const { peer } = subscribe({ queue: 3, overflow: "disconnect" });
  peer.room = 1;
  publish(4);
  expect([peer.story, peer.closed]).toEqual([["21", "22", "23", "24"], undefined]);
  publish(3);
  expect(peer.closed).toBeUndefined();
  publish(1);
  expect(peer.story.at(-1)).toBe("25-28");
  expect(peer.closed).toEqual({ code: 1013, reason: "slow consumer" });
  expect(broker.stats.subscriptions).toBe(0);
});

test("disconnect is not put off by asking again between the publish that was too much and its flush", () => {
  const { subscribe, broker } = published();
  const { peer, session } = subscribe({ queue: 1, overflow: "disconnect" });
  peer.room = 0;
  broker.publish(
    "t",
    [1, 2].map((payload) => ({ id: "i", payload: `${payload}` })),
  );
  expect(broker.subscribe(session, "t", "me", { last_n: 5 })).toMatchObject({ seq: 22, replay: 0 });
  broker.flush();
  expect(peer.story).toEqual(["21-22"]);
  expect(peer.closed).toEqual({ code: 1013, reason: "slow consumer" });
});

test("a queue longer than MAX_SUBSCRIBER_QUEUE is refused with its name and value", () => {
  const { subscribe, broker } = published();
  expect(() => subscribe({ queue: 5 })).toThrow("'queue' is 5, and MAX_SUBSCRIBER_QUEUE is 4");
  expect(broker.stats.subscriptions).toBe(0);
});
