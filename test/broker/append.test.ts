import { expect, test } from "bun:test";
import { topicText } from "../../src/protocol/encode.ts";
import { range } from "../support/account.ts";
import { FakePeer } from "../support/fake-peer.ts";
import { makeBroker, type Limits } from "../support/make-broker.ts";
import { Random, seedOfRun } from "../support/random.ts";

/** A broker that knows the topic "t" from `seq` on, as an engine elsewhere tells of it. */
function setUp(seq = 0, limits: Partial<Limits> = {}) {
  const broker = makeBroker({ limits: { autoCreateTopics: false, ...limits } });
  const text = topicText("t", "e");
  broker.topicCreated(text, seq);
  const append = (first: number, last: number) => {
    const messages = range(first, last).map((seq) => ({ id: "i", payload: `${seq}` }));
    broker.append("t", { first, ts: "now", messages, findable: false });
  };
  // The engine of this process does not know the topic: it is asked for by the broker itself.
  broker.engine.subscribe = (_name, _claim, { begin }) => begin(undefined);
  const subscribe = (clientId: string, options = {}) => {
    const peer = new FakePeer();
    const session = broker.connect(peer);
    const ack = broker.subscribe(session, "t", clientId, options);
    broker.flush();
    return { peer, session, ack };
  };
  return { broker, append, subscribe };
}

const drain = ({ peer, session }: ReturnType<ReturnType<typeof setUp>["subscribe"]>) => {
  peer.room = Number.POSITIVE_INFINITY;
  session.drained();
};

test("Broker takes a topic that starts at any seq, and has no history of what was before", () => {
  const { broker, append, subscribe } = setUp(1_000_000);
  const { peer, ack } = subscribe("me", { last_n: 5 });
  expect(ack).toMatchObject({ seq: 1_000_000, replay: 0 });
  append(1_000_001, 1_000_003);
  broker.flush();
  expect(peer.story).toEqual(["1000001", "1000002", "1000003"]);
  expect(broker.topicDetail("t")).toMatchObject({ seq: 1_000_003, oldestSeq: 1_000_001 });
  expect(subscribe("late", { last_n: 100 }).peer.story).toEqual(["1000001", "1000002", "1000003"]);
});

test("Broker ignores what it has already", () => {
  const { broker, append, subscribe } = setUp();
  const { peer } = subscribe("me");
  append(1, 3);
  append(1, 3);
  append(2, 5);
  broker.flush();
  append(4, 4);
  broker.flush();
  expect(peer.story).toEqual(["1", "2", "3", "4", "5"]);
  expect(broker.topicDetail("t").seq).toBe(5);
});

test("Broker ignores events of a topic that it does not know", () => {
  const { broker } = setUp();
  broker.append("unknown", { first: 1, ts: "now", messages: [{ id: "i", payload: "1" }], findable: false });
  expect(broker.stats.topics).toBe(1);
});

test("Broker tells everyone a jump as the exact gap: who is caught up, has pending events, is blocked or replays", () => {
  const { broker, append, subscribe } = setUp(0, { maxHistory: 20 });
  const caughtUp = subscribe("caught up");
  const blocked = subscribe("blocked");
  const latest = subscribe("latest", { overflow: "latest" });
  append(1, 3);
  broker.flush();
  blocked.peer.room = 0;
  const replaying = subscribe("replaying");
  replaying.peer.room = 1;
  broker.subscribe(replaying.session, "t", "replaying", { last_n: 3 });
  broker.flush();
  // 4 and 5 are pending when the jump comes.
  append(4, 5);
  append(9, 10);
  broker.flush();
  drain(blocked);
  drain(replaying);
  append(11, 11);
  broker.flush();
  expect(caughtUp.peer.story).toEqual(["1", "2", "3", "4", "5", "6-8", "9", "10", "11"]);
  expect(latest.peer.story).toEqual(["1", "2", "3", "4", "5", "9", "10", "11"]);
  // What came before the jump is history no more, so it is lost to who had not been sent it.
  expect(blocked.peer.story).toEqual(["1", "2", "3", "4-8", "9", "10", "11"]);
  expect(replaying.peer.story).toEqual(["1", "2", "3", "4-8", "9", "10", "11"]);
  expect(broker.topicDetail("t")).toMatchObject({ seq: 11, oldestSeq: 9 });
});

test("Broker says of a position before a jump what is missing for good", () => {
  const { append, subscribe } = setUp();
  append(1, 4);
  append(8, 9);
  const { peer, ack } = subscribe("me", { since: { epoch: "e", seq: 2 } });
  expect(ack).toMatchObject({ recovered: false, missed: { first_seq: 3, last_seq: 7 }, replay: 2 });
  expect(peer.story).toEqual(["8", "9"]);
});

test("Broker counts the memory of history right across a jump", () => {
  const { broker, append } = setUp();
  append(1, 8);
  append(100, 101);
  expect(broker.stats.historyBytes).toBe(broker.topicDetail("t").bytes);
  broker.topicDeleted("t");
  expect(broker.stats.historyBytes).toBe(0);
});

test("Broker accounts to every subscriber for every seq, whatever order an engine tells it in", () => {
  const seed = seedOfRun();
  const random = new Random(seed);
  for (let round = 0; round < 200; round++) {
    const start = random.int(50);
    const { broker, append, subscribe } = setUp(start, { maxHistory: random.int(20), maxSubscriberQueue: 4 });
    const subscribers = Array.from({ length: 4 }, (_, i) => subscribe(`client ${i}`));
    let newest = start;
    for (let step = 0; step < 60; step++) {
      const dice = random.int(10);
      const one = random.pick(subscribers);
      if (dice < 5) {
        const first = Math.max(1, newest + 1 - random.int(3));
        append(first, first + random.int(6));
        newest = Math.max(newest, broker.topicDetail("t").seq);
      } else if (dice < 6) {
        const first = newest + 1 + random.int(9);
        append(first, first + random.int(4));
        newest = broker.topicDetail("t").seq;
      } else if (dice < 7) one.peer.room = random.int(3);
      else if (dice < 8 && one.peer.blocked) drain(one);
      else broker.flush();
    }
    broker.flush();
    for (const one of subscribers) drain(one);
    for (const { peer } of subscribers) {
      const accounted = peer.story.flatMap((entry) => {
        const [first = 0, last = first] = entry.split("-").map(Number);
        return range(first, last);
      });
      expect(accounted, `SEED=${seed}, round ${round}`).toEqual(range(start + 1, newest));
    }
  }
});
