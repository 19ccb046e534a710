import { expect, test } from "bun:test";
import { Commands } from "../../../src/engine/redis/commands.ts";
import { Keys } from "../../../src/engine/redis/keys.ts";
import type { Asking } from "../../../src/engine/redis/link.ts";
import { Pace } from "../../../src/engine/redis/pace.ts";
import { KnownTopic } from "../../../src/engine/redis/known-topic.ts";
import { Regular } from "../../../src/engine/redis/regular.ts";
import { Replicas } from "../../../src/engine/redis/replicas.ts";
import { Watch } from "../../../src/engine/redis/watch.ts";
import { makeBroker, LIMITS } from "../../support/make-broker.ts";

const keys = new Keys("p:", "0");

/** A watch over a Redis that takes every probe, and never hears any unless the test says so. */
function setUp() {
  const probes: number[] = [];
  const asking: Asking = {
    run: () => Promise.resolve([]),
    send: (_command, [, message = ""]) => {
      probes.push(Number(/\d+/.exec(message)?.[0]));
      return Promise.resolve(1);
    },
  };
  const broker = makeBroker();
  const commands = new Commands(
    asking,
    () => undefined,
    keys,
    { ...LIMITS, enginePendingBytes: 1 },
    () => "e",
  );
  const timers: (() => void)[] = [];
  const after = (_ms: number, work: () => void) => {
    timers.push(work);
    return () => void timers.splice(timers.indexOf(work), 1);
  };
  const replicas = new Replicas({
    ...{ broker, commands, keys, after },
    link: { follow: () => Promise.resolve(), unfollow: () => {} },
    isoOf: String,
    filled: () => {},
    isUnderWay: () => false,
    unlessLost: (_name, ask) => ask(),
    soon: (work) => work(),
    failed: (cause) => {
      throw cause;
    },
  });
  let lost = 0;
  const watch = new Watch({ ...{ broker, commands, replicas, after }, inbox: "inbox", probeLost: () => lost++ });
  return { watch, probes, timers, lost: () => lost };
}

const settle = () => Bun.sleep(0);

test("Watch says that a probe is lost if it is not heard in time, and nothing if it is", async () => {
  const { watch, probes, timers, lost } = setUp();
  const first = watch.look();
  await settle();
  expect([probes.length, timers.length]).toEqual([1, 1]);
  watch.heard(probes[0] ?? 0);
  await first;
  expect([timers.length, lost()]).toEqual([0, 0]);
  const second = watch.look();
  await settle();
  // An old probe does not count.
  watch.heard(probes[0] ?? 0);
  timers[0]?.();
  await second;
  expect(lost()).toBe(1);
});

test("Watch does not look twice at once", async () => {
  const { watch, probes, timers } = setUp();
  const looks = [watch.look(), watch.look()];
  await settle();
  expect(probes).toHaveLength(1);
  timers[0]?.();
  await Promise.all(looks);
});

test("Pace hands over so many messages of a topic in a turn, goes on in the next, and holds up no other topic", () => {
  const turns: (() => void)[] = [];
  const went: string[] = [];
  const pace = new Pace(
    (work) => turns.push(work),
    (topic) => went.push(topic.name),
  );
  const [busy, other] = ["busy", "other"].map((name) => new KnownTopic(name, keys.topic(name), "b", "e"));
  if (busy === undefined || other === undefined) throw new Error("There are two");
  let handed = 0;
  for (; pace.mayGoOn(busy); handed++) pace.note(busy, 1);
  expect(handed).toBe(32);
  expect(pace.mayGoOn(other)).toBe(true);
  expect(turns).toHaveLength(1);
  turns.shift()?.();
  expect(went).toEqual(["busy"]);
  expect(pace.mayGoOn(busy)).toBe(true);
});

test("Regular does its work again and again, leaves it out while Redis is away, and outlives what fails", async () => {
  const timers: (() => void)[] = [];
  const failures: unknown[] = [];
  let isAway = false;
  let done = 0;
  const regular = new Regular({
    after: (_ms, work) => {
      timers.push(work);
      return () => void timers.splice(timers.indexOf(work), 1);
    },
    isAway: () => isAway,
    failed: (cause) => failures.push(cause),
  });
  regular.start(1000, async () => {
    if (++done === 2) throw new Error("once");
  });
  for (const away of [false, false, true, false]) {
    isAway = away;
    timers.shift()?.();
    await settle();
  }
  expect([done, failures.length, timers.length]).toEqual([3, 1, 1]);
  regular.stop();
  expect(timers).toEqual([]);
});
