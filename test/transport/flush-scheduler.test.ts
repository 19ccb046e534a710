import { expect, test } from "bun:test";
import { FlushScheduler } from "../../src/transport/flush-scheduler.ts";
import { FAULTLESS } from "../support/make-logger.ts";
import { turn } from "../support/turn.ts";

/** A scheduler whose flushes are counted. */
function setUp(intervalMs = 0) {
  const stage = { flushes: 0, observed: new Array<number>() };
  const scheduler = new FlushScheduler(() => void stage.flushes++, intervalMs, FAULTLESS, {
    flushed: (seconds) => void stage.observed.push(seconds),
  });
  return { stage, scheduler };
}

/** How many turns pass until a flush where each of them brings what `bring` does. */
async function turnsUntilFlush(bring: (scheduler: FlushScheduler, turn: number) => void): Promise<number> {
  const { stage, scheduler } = setUp();
  let turns = 0;
  do {
    bring(scheduler, turns++);
    await turn();
  } while (stage.flushes === 0);
  return turns;
}

/** The most of many tries: on a machine that stalls for two milliseconds just then it is right not to wait. */
async function mostTurnsUntilFlush(bring: (scheduler: FlushScheduler, turn: number) => void): Promise<number> {
  let most = 0;
  for (let i = 0; i < 20; i++) most = Math.max(most, await turnsUntilFlush(bring));
  return most;
}

test("FlushScheduler flushes once at the end of the turn, however often it was woken", async () => {
  const { stage, scheduler } = setUp();
  for (let i = 0; i < 3; i++) scheduler.wake(1, 1);
  expect(stage.flushes).toBe(0);
  await turn();
  expect(stage.flushes).toBe(1);
  await turn();
  expect(stage.flushes).toBe(1);
});

test.each([
  [16, 1],
  [17, 2],
  [32, 2],
  [33, 3],
])(
  "FlushScheduler waits while a topic of %d has more than sixteen subscribers for each message",
  async (size, turns) => {
    expect(await mostTurnsUntilFlush((scheduler) => scheduler.wake(1, size))).toBe(turns);
  },
);

test("FlushScheduler goes by the topic with the most subscribers", async () => {
  expect(await mostTurnsUntilFlush((scheduler, at) => scheduler.wake(1, at === 0 ? 33 : 1))).toBe(3);
  expect(await mostTurnsUntilFlush((scheduler, at) => scheduler.wake(1, at === 1 ? 33 : 17))).toBe(3);
});

test("FlushScheduler waits only while every turn brings a message, whatever else is asked for", async () => {
  expect(await mostTurnsUntilFlush((scheduler, at) => scheduler.wake(at === 0 ? 1 : 0, 1000))).toBe(2);
  expect(await mostTurnsUntilFlush((scheduler) => scheduler.wake(0, 0))).toBe(1);
});

test("FlushScheduler counts anew after each flush", async () => {
  const { stage, scheduler } = setUp();
  scheduler.wake(1, 1000);
  while (stage.flushes === 0) await turn();
  scheduler.wake(1, 1);
  await turn();
  expect(stage.flushes).toBe(2);
});

test("FlushScheduler waits no longer than two milliseconds, however slow the turns are", async () => {
  const { stage, scheduler } = setUp();
  scheduler.wake(1, 1_000_000);
  await turn();
  scheduler.wake(1, 1_000_000);
  const end = performance.now() + 2;
  while (performance.now() < end);
  await turn();
  expect(stage.flushes).toBe(1);
});

test("FlushScheduler flushes in the middle of a turn after 32 messages, and again at its end", async () => {
  const { stage, scheduler } = setUp();
  for (let i = 0; i < 31; i++) scheduler.wake(1, 1);
  expect(stage.flushes).toBe(0);
  scheduler.wake(1, 1);
  expect(stage.flushes).toBe(1);
  scheduler.wake(1, 1);
  expect(stage.flushes).toBe(1);
  await turn();
  expect(stage.flushes).toBe(2);
  await turn();
  expect(stage.flushes).toBe(2);
});

test("FlushScheduler flushes that early only where there is a message for each sixteen subscribers", () => {
  const { stage, scheduler } = setUp();
  scheduler.wake(32, 528);
  expect(stage.flushes).toBe(0);
  scheduler.wake(1, 1);
  expect(stage.flushes).toBe(1);
});

test("FlushScheduler with an interval flushes when it is over, however much is published", async () => {
  const flushed = Promise.withResolvers<void>();
  const scheduler = new FlushScheduler(() => flushed.resolve(), 1, FAULTLESS, { flushed: () => {} });
  scheduler.wake(1000, 1);
  const first = await Promise.race([flushed.promise.then(() => "flushed"), Promise.resolve("not yet")]);
  expect(first).toBe("not yet");
  await flushed.promise;
});

test("says how long the first message of each flush has waited, and nothing of a flush without messages", async () => {
  const { stage, scheduler } = setUp();
  scheduler.wake(0, 0);
  await turn();
  expect([stage.flushes, stage.observed.length]).toEqual([1, 0]);
  const before = performance.now();
  scheduler.wake(1, 1);
  scheduler.wake(1, 1);
  await turn();
  expect([stage.flushes, stage.observed.length]).toEqual([2, 1]);
  expect(stage.observed[0]).toBeGreaterThan(0);
  expect(stage.observed[0]).toBeLessThanOrEqual((performance.now() - before) / 1000);
});

test("counts what a publish waited that flushed by itself before it was over", async () => {
  const { stage, scheduler } = setUp();
  scheduler.begin();
  const begun = performance.now();
  while (performance.now() - begun < 20);
  scheduler.begin();
  scheduler.wake(100_000, 1);
  await turn();
  expect(stage.observed[0]).toBeGreaterThanOrEqual(0.02);
  scheduler.wake(1, 1);
  await turn();
  expect(stage.observed[1]).toBeLessThan(stage.observed[0] ?? 0);
});

test("does not count how long a flush was asked for before anything was published", async () => {
  const { stage, scheduler } = setUp(1);
  scheduler.wake(0, 1);
  const begun = performance.now();
  while (performance.now() - begun < 20);
  scheduler.wake(1, 1);
  await Bun.sleep(10);
  expect(stage.observed).toHaveLength(1);
  expect(stage.observed[0]).toBeLessThan((performance.now() - begun - 20) / 1000);
});
