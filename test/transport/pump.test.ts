import { expect, test } from "bun:test";
import { Logger } from "../../src/ops/logger.ts";
import { Pump } from "../../src/transport/pump.ts";

const log = new Logger("error", "text", (line) => {
  throw new Error(line);
});

/** A pump whose flushes are counted, of a broker that would wait for so many turns. */
function stage(turns: number) {
  const broker = {
    flushes: 0,
    full: false,
    endTurn: () => turns-- > 0,
    flush: () => void broker.flushes++,
  };
  return { broker, pump: new Pump(broker, 0, log) };
}

/** Waits until what was scheduled for the end of this turn has run. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("Pump flushes once at the end of the turn, however often it was woken", async () => {
  const { broker, pump } = stage(0);
  for (let i = 0; i < 3; i++) pump.wake();
  expect(broker.flushes).toBe(0);
  await turn();
  expect(broker.flushes).toBe(1);
  await turn();
  expect(broker.flushes).toBe(1);
});

test("Pump waits for as many further turns as the broker gains by, and flushes once", async () => {
  // On a machine that stalls for two milliseconds just then, it is right not to wait.
  let waited = 0;
  for (let i = 0; i < 100 && waited < 3; i++) {
    const { broker, pump } = stage(3);
    pump.wake();
    for (waited = -1; broker.flushes === 0; waited++) {
      await turn();
      pump.wake();
    }
    broker.flushes = 0;
    await turn();
    await turn();
    expect(broker.flushes).toBe(1);
  }
  expect(waited).toBe(3);
});

test("Pump waits no longer than two milliseconds, however slow the turns are", async () => {
  const { broker, pump } = stage(Number.POSITIVE_INFINITY);
  pump.wake();
  await turn();
  const end = performance.now() + 2;
  while (performance.now() < end);
  await turn();
  expect(broker.flushes).toBe(1);
});

test("Pump flushes in the middle of a turn once enough was published, and again at its end", async () => {
  const { broker, pump } = stage(0);
  pump.wake();
  broker.full = true;
  pump.wake();
  expect(broker.flushes).toBe(1);
  broker.full = false;
  pump.wake();
  expect(broker.flushes).toBe(1);
  await turn();
  expect(broker.flushes).toBe(2);
  await turn();
  expect(broker.flushes).toBe(2);
});

test("Pump with an interval flushes when it is over, however much is published and without a further turn", async () => {
  const flushed = Promise.withResolvers<void>();
  let turns = 0;
  const broker = { flush: () => flushed.resolve(), full: true, endTurn: () => turns++ === 0 };
  new Pump(broker, 1, log).wake();
  await flushed.promise;
  expect(turns).toBe(0);
});
