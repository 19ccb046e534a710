import { expect, test } from "bun:test";
import { topicText } from "../../src/protocol/encode.ts";
import { range } from "../support/account.ts";
import { FakePeer } from "../support/fake-peer.ts";
import { makeBroker, type Limits } from "../support/make-broker.ts";
import { Random, seedOfRun } from "../support/random.ts";

/** A broker that an engine elsewhere tells of the topic "t", whose epochs are `e1`, `e2` and so on. */
function setUp(limits: Partial<Limits> = {}) {
  const left: string[] = [];
  const broker = makeBroker({ limits, left: (topic, clientId) => left.push(`${topic} ${clientId}`) });
  broker.engine.subscribe = (_name, _claim, { begin }) => begin(undefined);
  broker.topicCreated(topicText("t", "e1"), 0);
  let epoch = 1;
  const append = (first: number, last: number) => {
    const messages = range(first, last).map((seq) => ({ id: "i", payload: `${seq}` }));
    broker.append("t", { first, ts: "now", messages, findable: false });
  };
  const renew = (seq: number) => broker.epochChanged(topicText("t", `e${++epoch}`), seq);
  const subscribe = (clientId: string, options = {}) => {
    const peer = new FakePeer();
    const session = broker.connect(peer);
    const ack = broker.subscribe(session, "t", clientId, options);
    broker.flush();
    return { peer, session, ack };
  };
  return { broker, append, renew, subscribe, left };
}

const drain = ({ peer, session }: ReturnType<ReturnType<typeof setUp>["subscribe"]>) => {
  peer.room = Number.POSITIVE_INFINITY;
  session.drained();
};

test("Broker tells each subscriber of a new epoch, after what is queued for it or the gap that is left of that", () => {
  const { broker, append, renew, subscribe } = setUp();
  const reads = subscribe("reads");
  const stalls = subscribe("stalls");
  stalls.peer.room = 2;
  append(1, 5);
  renew(3);
  append(4, 5);
  broker.flush();
  drain(stalls);
  expect(reads.peer.story).toEqual(["1", "2", "3", "4", "5", "epoch_changed", "4", "5"]);
  expect(reads.peer.sent[5]).toMatchObject({ topic: "t", epoch: "e2", seq: 3 });
  expect(stalls.peer.story).toEqual(["1", "2", "3", "4", "5", "epoch_changed", "4", "5"]);
  expect(broker.topicDetail("t")).toMatchObject({ epoch: "e2", seq: 5, oldestSeq: 4, total: 2 });
});

test("Broker tells who is blocked of a gap up to the end of the old epoch", () => {
  const { broker, append, renew, subscribe } = setUp();
  const stalls = subscribe("stalls");
  stalls.peer.room = 0;
  append(1, 5);
  broker.flush();
  renew(0);
  append(1, 2);
  broker.flush();
  drain(stalls);
  expect(stalls.peer.story).toEqual(["1-5", "epoch_changed", "1", "2"]);
  const { ledger } = broker.topicDetail("t");
  expect(ledger).toEqual({ due: 7, delivered: 2, dropped: { epoch_changed: 5 }, queued: 0, unflushed: 0 });
});

test("Broker has no replay of an old epoch in a new one", () => {
  const { append, renew, subscribe } = setUp();
  append(1, 5);
  renew(5);
  append(6, 7);
  const since = subscribe("since", { since: { epoch: "e1", seq: 2 } });
  expect(since.ack).toMatchObject({ epoch: "e2", base: 5, seq: 7, replay: 2, recovered: false });
  expect(since.ack.missed).toBeUndefined();
  expect(subscribe("last", { last_n: 10 }).peer.story).toEqual(["6", "7"]);
});

test("Broker ends a subscription that another node has taken over, and says so to nobody but its client", () => {
  const { broker, append, subscribe, left } = setUp();
  const { peer } = subscribe("me");
  append(1, 2);
  broker.takenOver("t", "me");
  broker.takenOver("t", "nobody");
  broker.takenOver("nowhere", "me");
  append(3, 3);
  broker.flush();
  expect(peer.story).toEqual(["1", "2", "subscription_replaced"]);
  expect(broker.isSubscribed("t", "me")).toBe(false);
  expect(broker.stats.subscriptions).toBe(0);
  // The id is not free: the other node has it.
  expect(left).toEqual([]);
});

test("Broker says which ids are free, and of none that is taken over here or goes with its topic", () => {
  const { broker, subscribe, left } = setUp();
  const one = subscribe("one");
  broker.unsubscribe(one.session, "t", "one");
  const two = subscribe("two");
  broker.end(two.session, "disconnected");
  subscribe("three");
  subscribe("three");
  expect(left).toEqual(["t one", "t two"]);
  broker.topicDeleted("t");
  expect(left).toEqual(["t one", "t two"]);
});

test("Broker tells of a gap that nothing comes after yet", () => {
  const { broker, append, subscribe } = setUp();
  const reads = subscribe("reads");
  const stalls = subscribe("stalls");
  stalls.peer.room = 0;
  append(1, 2);
  broker.flush();
  append(6, 5);
  broker.flush();
  expect(reads.peer.story).toEqual(["1", "2", "3-5"]);
  drain(stalls);
  expect(stalls.peer.story).toEqual(["1-5"]);
  expect(broker.topicDetail("t")).toMatchObject({ seq: 5, oldestSeq: 6 });
});

test("Broker refuses in advance what it would refuse, and changes nothing by that", () => {
  const { broker, append, subscribe } = setUp({ maxSubscriptionsPerConnection: 1 });
  append(1, 3);
  const { session } = subscribe("me");
  const other = broker.connect(new FakePeer());
  other.owner = "somebody else";
  expect(() => broker.check(session, "t", "second")).toThrow("MAX_SUBSCRIPTIONS_PER_CONNECTION");
  expect(() => broker.check(session, "t", "me", { since: { epoch: "e1", seq: 4 } })).toThrow("There is no seq 4");
  expect(() => broker.check(other, "t", "me")).toThrow("belongs to another credential");
  expect(() => broker.check(other, "nowhere", "me")).toThrow("not found");
  broker.check(other, "t", "new", { last_n: 2 });
  expect(broker.stats.subscriptions).toBe(1);
});

test("Broker accounts to every subscriber for every seq of every epoch, whatever an engine tells it", () => {
  const seed = seedOfRun();
  const random = new Random(seed);
  for (let round = 0; round < 200; round++) {
    const { broker, append, renew, subscribe } = setUp({ maxHistory: random.int(20), maxSubscriberQueue: 4 });
    const subscribers = Array.from({ length: 4 }, (_, i) => subscribe(`client ${i}`));
    let newest = 0;
    /** How each subscriber has to have been led through the epochs: to which number, and from which on in the next. */
    const ends: [last: number, base: number][] = [];
    for (let step = 0; step < 60; step++) {
      const dice = random.int(12);
      const one = random.pick(subscribers);
      if (dice < 5) {
        const first = newest + 1 + random.int(random.chance(0.2) ? 9 : 1);
        const count = random.int(6);
        append(first, first + count - 1);
        newest = first + count - 1;
      } else if (dice < 6) {
        const base = random.int(newest + 1);
        renew(base);
        ends.push([newest, base]);
        newest = base;
      } else if (dice < 8) one.peer.room = random.int(3);
      else if (dice < 10 && one.peer.blocked) drain(one);
      else broker.flush();
    }
    broker.flush();
    for (const one of subscribers) drain(one);
    for (const { peer } of subscribers) {
      let at = 0;
      const left = [...ends];
      for (const entry of peer.story) {
        if (entry === "epoch_changed") {
          const [last, base] = left.shift() ?? [Number.NaN, Number.NaN];
          expect(at, `SEED=${seed}, round ${round}`).toBe(last);
          at = base;
          continue;
        }
        const [first = 0, last = first] = entry.split("-").map(Number);
        expect(first, `SEED=${seed}, round ${round}`).toBe(at + 1);
        at = last;
      }
      expect([at, left], `SEED=${seed}, round ${round}`).toEqual([newest, []]);
    }
    const { due, delivered, dropped, queued, unflushed } = broker.topicDetail("t").ledger;
    const lost = Object.values(dropped).reduce((sum, events) => sum + events, 0);
    expect(due, `SEED=${seed}, round ${round}`).toBe(delivered + lost + queued + unflushed);
  }
});
