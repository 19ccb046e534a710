import { describe, expect, test } from "bun:test";
import type { SubscribeOptions } from "../../src/broker/recovery.ts";
import type { Overflow } from "../../src/protocol/frames.ts";
import { LIMITS, makeBroker, type BrokerAndEngine } from "../support/make-broker.ts";
import { FakePeer } from "../support/fake-peer.ts";
import { imbalance } from "../support/balance.ts";
import { Random, seedOfRun } from "../support/random.ts";

const OWN_LIMITS = { ...LIMITS, maxSubscriberQueue: 4 };

/** A broker with the topic "t", and "me" subscribed to it by a fake session. */
class Stage {
  readonly broker: BrokerAndEngine;
  readonly peer = new FakePeer();
  readonly #session;
  /** Events that "me" was to get: what was published since, and each replay. */
  owed = 0;

  constructor(limits: Partial<typeof OWN_LIMITS> = {}, before = 0) {
    this.broker = makeBroker({ limits: { ...OWN_LIMITS, ...limits } });
    this.broker.createTopic("t");
    this.#session = this.broker.connect(this.peer);
    this.publish(before);
    this.owed = 0;
  }

  subscribe(options: SubscribeOptions = {}): void {
    this.owed += this.broker.subscribe(this.#session, "t", "me", options).replay;
  }

  /** Publishes, without a flush. */
  append(count: number): void {
    for (let i = 0; i < count; i++) this.broker.publish("t", [{ id: "i", payload: "1" }]);
    this.owed += count;
  }

  publish(count: number): void {
    this.append(count);
    this.broker.flush();
  }

  block(): void {
    this.peer.room = 0;
  }

  /** The socket takes `room` more events. */
  drain(room = Number.POSITIVE_INFINITY): void {
    this.peer.room = room;
    this.#session.drained();
  }

  get stats(): { queued: number; dropped: number } {
    const { subscribers } = this.broker.topicDetail("t");
    const own = subscribers.find(({ clientId }) => clientId === "me");
    if (own === undefined) throw new Error("Not subscribed");
    expect(imbalance(own.ledger)).toBe(0);
    return { queued: own.queued, dropped: own.dropped };
  }

  get sent(): number {
    return this.peer.sent.filter((sent) => typeof sent === "string").length;
  }

  /** How many events it was told that it lost. */
  get told(): number {
    return this.peer.sent.reduce((sum, sent) => {
      return typeof sent !== "string" && sent.type === "error" ? sum + sent.error.dropped : sum;
    }, 0);
  }
}

describe("The stats of a subscriber", () => {
  test("of a new subscription are zero, whatever was published before it", () => {
    const stage = new Stage({}, 20);
    stage.subscribe();
    expect(stage.stats).toEqual({ queued: 0, dropped: 0 });
  });

  test("count as queued what no flush has seen yet, and nothing after it", () => {
    const stage = new Stage();
    stage.subscribe();
    stage.append(3);
    expect(stage.stats).toEqual({ queued: 3, dropped: 0 });
    stage.broker.flush();
    expect(stage.stats).toEqual({ queued: 0, dropped: 0 });
    expect(stage.peer.story).toEqual(["1", "2", "3"]);
  });

  test("count what waits while blocked, at most the queue, and the rest as dropped already", () => {
    const stage = new Stage();
    stage.subscribe();
    stage.publish(2);
    stage.block();
    for (const [queued, dropped] of [
      [1, 0],
      [2, 0],
      [3, 0],
      [4, 0],
      [4, 1],
      [4, 2],
    ] as const) {
      stage.publish(1);
      expect(stage.stats).toEqual({ queued, dropped });
    }
    expect(stage.told).toBe(0);
  });

  test("are of the events published, not of those flushed, while blocked", () => {
    const stage = new Stage();
    stage.subscribe();
    stage.block();
    stage.append(3);
    expect(stage.stats).toEqual({ queued: 3, dropped: 0 });
    stage.append(3);
    expect(stage.stats).toEqual({ queued: 4, dropped: 2 });
  });

  test("keep what was dropped, and that only, once all was sent and told", () => {
    const stage = new Stage();
    stage.subscribe();
    stage.block();
    stage.publish(9);
    stage.drain();
    expect(stage.stats).toEqual({ queued: 0, dropped: 5 });
    expect(stage.peer.story).toEqual(["1-5", "6", "7", "8", "9"]);
    stage.publish(7);
    expect(stage.stats).toEqual({ queued: 0, dropped: 5 });
  });

  test("add up several gaps, told and not told yet", () => {
    const stage = new Stage();
    stage.subscribe();
    stage.block();
    stage.publish(6);
    stage.drain(1);
    expect(stage.peer.story).toEqual(["1-2", "3"]);
    expect(stage.stats).toEqual({ queued: 3, dropped: 2 });
    stage.publish(4);
    expect(stage.stats).toEqual({ queued: 4, dropped: 5 });
    stage.drain(2);
    expect(stage.stats).toEqual({ queued: 2, dropped: 5 });
    stage.publish(3);
    expect(stage.stats).toEqual({ queued: 4, dropped: 6 });
    stage.drain();
    expect(stage.peer.story).toEqual(["1-2", "3", "4-6", "7", "8", "9-9", "10", "11", "12", "13"]);
    expect(stage.stats).toEqual({ queued: 0, dropped: 6 });
  });

  test("go by the queue that was asked for", () => {
    const stage = new Stage();
    stage.subscribe({ queue: 1 });
    stage.block();
    stage.publish(3);
    expect(stage.stats).toEqual({ queued: 1, dropped: 2 });
  });

  test("of `latest` count all but the newest as dropped as soon as it falls behind, told of no gap", () => {
    const stage = new Stage();
    stage.subscribe({ queue: 3, overflow: "latest" });
    stage.block();
    stage.publish(3);
    expect(stage.stats).toEqual({ queued: 3, dropped: 0 });
    stage.publish(1);
    expect(stage.stats).toEqual({ queued: 1, dropped: 3 });
    stage.publish(5);
    expect(stage.stats).toEqual({ queued: 1, dropped: 8 });
    stage.drain();
    expect(stage.peer.story).toEqual(["9"]);
    expect(stage.stats).toEqual({ queued: 0, dropped: 8 });
    stage.block();
    stage.publish(4);
    stage.drain();
    expect(stage.peer.story).toEqual(["9", "13"]);
    expect(stage.stats).toEqual({ queued: 0, dropped: 11 });
  });

  test("of `disconnect` count all as queued until it is disconnected", () => {
    const stage = new Stage();
    stage.subscribe({ queue: 2, overflow: "disconnect" });
    stage.block();
    stage.publish(2);
    expect(stage.stats).toEqual({ queued: 2, dropped: 0 });
    stage.append(1);
    expect(stage.stats).toEqual({ queued: 3, dropped: 0 });
    stage.broker.flush();
    expect(() => stage.stats).toThrow("Not subscribed");
    expect(stage.peer.story).toEqual(["1-3"]);
  });

  test("count a replay as queued, beside the queue, while it is pinned", () => {
    const stage = new Stage({}, 20);
    stage.block();
    stage.subscribe({ last_n: 8 });
    expect(stage.stats).toEqual({ queued: 8, dropped: 0 });
    stage.publish(4);
    expect(stage.stats).toEqual({ queued: 12, dropped: 0 });
    stage.publish(30);
    expect(stage.stats).toEqual({ queued: 12, dropped: 30 });
    stage.drain(3);
    expect(stage.peer.story).toEqual(["13", "14", "15"]);
    expect(stage.stats).toEqual({ queued: 9, dropped: 30 });
    stage.publish(2);
    expect(stage.stats).toEqual({ queued: 9, dropped: 32 });
    stage.drain(7);
    expect(stage.peer.story.slice(3)).toEqual(["16", "17", "18", "19", "20", "21-52", "53", "54"]);
    expect(stage.stats).toEqual({ queued: 2, dropped: 32 });
  });

  test("count a replay as queued before the flush that sends it", () => {
    const stage = new Stage({}, 6);
    stage.subscribe({ last_n: 5 });
    expect(stage.stats).toEqual({ queued: 5, dropped: 0 });
    stage.broker.flush();
    expect(stage.stats).toEqual({ queued: 0, dropped: 0 });
  });

  test("count a replay that memory has no room to pin by what the log still has", () => {
    const stage = new Stage({ historyMemoryBytes: 2500 }, 10);
    stage.block();
    stage.subscribe({ last_n: 10 });
    expect(stage.stats).toEqual({ queued: 10, dropped: 0 });
    stage.publish(8);
    expect(stage.stats).toEqual({ queued: 10, dropped: 8 });
    stage.drain(2);
    expect(stage.stats).toEqual({ queued: 8, dropped: 8 });
    stage.publish(4);
    // What was left of it did fit, and is pinned since.
    expect(stage.stats).toEqual({ queued: 8, dropped: 12 });
    stage.drain();
    expect(stage.peer.story).toEqual("1-4 5 6 7 8 9 10 11-18 19 20 21 22".split(" "));
    expect(stage.stats).toEqual({ queued: 0, dropped: 12 });
  });

  test("count as dropped what memory has no room for, though the queue had", () => {
    const stage = new Stage({ historyMemoryBytes: 400 });
    stage.subscribe();
    stage.block();
    stage.publish(4);
    const { oldestSeq: oldest } = stage.broker.topicDetail("t");
    expect(oldest).toBeGreaterThan(1);
    expect(stage.stats).toEqual({ queued: 5 - oldest, dropped: oldest - 1 });
    stage.drain();
    expect(stage.peer.story[0]).toBe(`1-${oldest - 1}`);
    expect(stage.stats).toEqual({ queued: 0, dropped: oldest - 1 });
  });

  test("keep as dropped what a drain has let go of, though a longer queue is asked for before the gap is told", () => {
    const stage = new Stage({}, 5);
    stage.block();
    stage.subscribe({ last_n: 5, queue: 1 });
    stage.publish(6);
    stage.drain(2);
    expect(stage.stats).toEqual({ queued: 4, dropped: 5 });
    stage.subscribe({ queue: 4 });
    expect(stage.stats).toEqual({ queued: 4, dropped: 5 });
    stage.drain();
    expect(stage.peer.story).toEqual("1 2 3 4 5 6-10 11".split(" "));
  });

  test("count what a second replay leaves out of an earlier one as dropped", () => {
    const stage = new Stage({}, 20);
    stage.block();
    stage.subscribe({ last_n: 8 });
    stage.subscribe({ last_n: 3 });
    expect(stage.peer.story).toEqual(["13-17"]);
    expect(stage.stats).toEqual({ queued: 3, dropped: 5 });
  });

  test("count events twice that are replayed once more", () => {
    const stage = new Stage();
    stage.subscribe();
    stage.publish(5);
    stage.subscribe({ last_n: 5 });
    expect(stage.stats).toEqual({ queued: 5, dropped: 0 });
    stage.broker.flush();
    expect(stage.stats).toEqual({ queued: 0, dropped: 0 });
    expect(stage.sent).toBe(10);
  });

  test("end with the subscription, and begin anew with the next", () => {
    const stage = new Stage();
    stage.subscribe();
    stage.block();
    stage.publish(9);
    expect(stage.stats.dropped).toBe(5);
    const other = stage.broker.connect(new FakePeer());
    stage.broker.subscribe(other, "t", "me");
    expect(stage.stats).toEqual({ queued: 0, dropped: 0 });
  });
});

/** What a random step may be, beside publishing, flushing, blocking and draining. */
type May = { replay?: boolean; resize?: boolean };

/** Does something random: the same for the same random numbers. */
function step(stage: Stage, random: Random, { replay = false, resize = false }: May): void {
  const dice = random.int(100);
  const { peer } = stage;
  if (dice < 45) stage.append(1 + random.int(random.chance(0.1) ? 20 : 3));
  else if (dice < 65) stage.broker.flush();
  else if (dice < 78) peer.room = peer.blocked ? peer.room : random.int(4);
  else if (dice < 90) {
    const room = random.pick([1, 2, 5, Number.POSITIVE_INFINITY]);
    if (peer.blocked) stage.drain(room);
  } else if (dice < 97) {
    const lastN = 1 + random.int(15);
    if (replay) stage.subscribe({ last_n: lastN });
  } else {
    const queue = 1 + random.int(OWN_LIMITS.maxSubscriberQueue);
    if (resize) stage.subscribe({ queue });
  }
}

function begun(random: Random, limits: Partial<typeof OWN_LIMITS>, overflow: Overflow): Stage {
  const stage = new Stage(limits, random.int(20));
  const options = { last_n: random.pick([0, 3, 100]), queue: 1 + random.int(OWN_LIMITS.maxSubscriberQueue), overflow };
  if (random.chance(0.5)) stage.block();
  stage.subscribe(options);
  return stage;
}

const LIVES = 300;
const STEPS = 40;
const runs = (["drop_oldest", "latest"] as const).flatMap((overflow) => [
  [overflow, "memory for every replay", {}] as const,
  [overflow, "memory for few", { historyMemoryBytes: 2000 }] as const,
  [overflow, "memory for less than a queue", { historyMemoryBytes: 400 }] as const,
]);

describe.each(runs)("The stats of a subscriber of %s, with %s,", (overflow, _memory, limits) => {
  test("account for every event that was published since, or asked for as replay", () => {
    const seed = seedOfRun();
    const random = new Random(seed);
    for (let life = 0; life < LIVES; life++) {
      const stage = begun(random, limits, overflow);
      for (let i = 0; i < STEPS; i++) {
        step(stage, random, { resize: true });
        const { queued, dropped } = stage.stats;
        const where = `SEED=${seed}, life ${life}, step ${i}: ${stage.peer.story.join(" ")}`;
        expect(queued + dropped + stage.sent, where).toBe(stage.owed);
        expect(queued, where).toBeGreaterThanOrEqual(0);
        expect(dropped, where).toBeGreaterThanOrEqual(stage.told);
      }
    }
  });

  test("foretell what will be sent and what is lost", () => {
    const seed = seedOfRun();
    const random = new Random(seed);
    let sum = 0;
    for (let life = 0; life < LIVES; life++) {
      const stage = begun(random, limits, overflow);
      for (let left = random.int(STEPS); left > 0; left--) step(stage, random, { replay: true, resize: true });
      const where = `SEED=${seed}, life ${life}: ${stage.peer.story.join(" ")}`;
      const { queued, dropped } = stage.stats;
      const { sent } = stage;
      if (stage.peer.blocked) stage.drain();
      stage.peer.room = Number.POSITIVE_INFINITY;
      stage.broker.flush();
      expect(stage.sent - sent, where).toBe(queued);
      expect(stage.stats, where).toEqual({ queued: 0, dropped });
      if (overflow === "drop_oldest") expect(dropped, where).toBe(stage.told);
      sum += dropped;
    }
    expect(sum).toBeGreaterThan(LIVES);
  });

  test("change nothing by being asked for", () => {
    const seed = seedOfRun();
    for (let life = 0; life < LIVES; life++) {
      const story = (asks: boolean) => {
        const random = new Random(seed + life);
        const stage = begun(random, limits, overflow);
        for (let i = 0; i < STEPS; i++) {
          step(stage, random, { replay: true });
          if (asks) expect(stage.stats.queued).toBeGreaterThanOrEqual(0);
        }
        return stage.peer.story;
      };
      expect(story(true), `SEED=${seed}, life ${life}`).toEqual(story(false));
    }
  });
});

test("The stats of a subscriber change nothing by being asked for, though a longer queue is asked for after it", () => {
  const story = (asks: boolean) => {
    const stage = new Stage();
    stage.subscribe({ queue: 1 });
    stage.block();
    stage.publish(3);
    if (asks) expect(stage.stats).toEqual({ queued: 1, dropped: 2 });
    stage.subscribe({ queue: 4 });
    stage.drain();
    return stage.peer.story;
  };
  expect(story(true)).toEqual(story(false));
});
