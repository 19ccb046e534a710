import { expect, test } from "bun:test";
import { Logger } from "../../src/ops/logger.ts";
import { Pump } from "../../src/transport/pump.ts";

const log = new Logger("error", "text", (line) => {
  throw new Error(line);
});

/** A pump whose flushes are counted, of a broker that gathers for so many turns. */
function stage(turns: number) {
  const broker = {
    flushes: 0,
    gathers: () => turns-- > 0,
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

test("Pump waits for as many further turns as the broker gathers, and flushes once", async () => {
  const { broker, pump } = stage(3);
  pump.wake();
  for (let i = 0; i < 3; i++) {
    await turn();
    pump.wake();
    expect(broker.flushes).toBe(0);
  }
  await turn();
  expect(broker.flushes).toBe(1);
  await turn();
  expect(broker.flushes).toBe(1);
});

test("Pump with an interval flushes when it is over, without a further turn", async () => {
  const flushed = Promise.withResolvers<void>();
  let asked = false;
  const broker = {
    flush: () => flushed.resolve(),
    gathers: () => {
      asked = true;
      return true;
    },
  };
  new Pump(broker, 1, log).wake();
  await flushed.promise;
  expect(asked).toBe(false);
});
