import { expect, test } from "bun:test";
import { Logger } from "../../src/ops/logger.ts";
import { Pump } from "../../src/transport/pump.ts";

const log = new Logger("error", "text", (line) => {
  throw new Error(line);
});

/** A pump whose flushes are counted. */
function stage(gathers: boolean) {
  const broker = {
    gathers,
    flushes: 0,
    flush: () => void broker.flushes++,
  };
  return { broker, pump: new Pump(broker, 0, log) };
}

/** Waits until what was scheduled for the end of this turn has run. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("Pump flushes once at the end of the turn, however often it was woken", async () => {
  const { broker, pump } = stage(false);
  for (let i = 0; i < 3; i++) pump.wake();
  expect(broker.flushes).toBe(0);
  await turn();
  expect(broker.flushes).toBe(1);
  await turn();
  expect(broker.flushes).toBe(1);
});

test("Pump waits while the broker gathers and each turn brings more, and flushes after the first that does not", async () => {
  const { broker, pump } = stage(true);
  for (let i = 0; i < 5; i++) {
    pump.wake();
    await turn();
    expect(broker.flushes).toBe(0);
  }
  await turn();
  expect(broker.flushes).toBe(1);
  pump.wake();
  await turn();
  await turn();
  expect(broker.flushes).toBe(2);
});

test("Pump flushes at the end of the turn in which the broker has gathered enough", async () => {
  const { broker, pump } = stage(true);
  pump.wake();
  await turn();
  broker.gathers = false;
  pump.wake();
  await turn();
  expect(broker.flushes).toBe(1);
});

test("Pump with an interval flushes when it is over, without a further turn", async () => {
  const flushed = Promise.withResolvers<void>();
  let asked = false;
  const broker = {
    flush: () => flushed.resolve(),
    get gathers() {
      asked = true;
      return true;
    },
  };
  new Pump(broker, 1, log).wake();
  await flushed.promise;
  expect(asked).toBe(false);
});
