import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import type { Level } from "../../src/ops/logger.ts";
import { Throttle } from "../../src/ops/throttle.ts";
import { makeLogger } from "../support/make-logger.ts";

const SECOND_MS = 1000;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  jest.clearAllTimers();
  jest.useRealTimers();
});

/** A throttle, and what it has logged since that was last asked. */
function setUp(least: Level = "debug") {
  const { lines, log } = makeLogger(least);
  const throttle = new Throttle(log);
  const logged = () => lines.splice(0).map((line) => line.slice(line.indexOf(" ") + 1));
  return { throttle, logged };
}

test("the first line of a kind is logged at once, and none of those that follow within a second", () => {
  const { throttle, logged } = setUp();
  throttle.warn("full", { n: 1 });
  expect(logged()).toEqual(["WARN  full n=1"]);
  throttle.warn("full", { n: 2 });
  jest.advanceTimersByTime(SECOND_MS - 1);
  throttle.warn("full", { n: 3 });
  expect(logged()).toEqual([]);
});

test("the last of those that were held back is logged when the second is over, with how many others there were", () => {
  const { throttle, logged } = setUp();
  for (let n = 1; n <= 5; n++) throttle.warn("full", { n });
  logged();
  jest.advanceTimersByTime(SECOND_MS);
  expect(logged()).toEqual(["WARN  full n=5 held_back=3"]);
});

test("a single line that was held back stands for no others", () => {
  const { throttle, logged } = setUp();
  for (let n = 1; n <= 2; n++) throttle.warn("full", { n });
  logged();
  jest.advanceTimersByTime(SECOND_MS);
  expect(logged()).toEqual(["WARN  full n=2"]);
});

test("a line that was held back begins a second of its own", () => {
  const { throttle, logged } = setUp();
  for (let n = 1; n <= 2; n++) throttle.warn("full", { n });
  jest.advanceTimersByTime(SECOND_MS);
  logged();
  throttle.warn("full", { n: 3 });
  jest.advanceTimersByTime(SECOND_MS - 1);
  expect(logged()).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(logged()).toEqual(["WARN  full n=3"]);
});

test("however many there are for however long, a second has one line, and the counts add up", () => {
  const { throttle, logged } = setUp();
  const seconds = 10;
  const each = 20;
  for (let n = 1; n <= seconds * each; n++) {
    throttle.warn("full", { n });
    jest.advanceTimersByTime(SECOND_MS / each);
  }
  jest.advanceTimersByTime(SECOND_MS);
  const lines = logged();
  expect(lines.length).toBeWithin(seconds, seconds + 2);
  const held = lines.map((line) => Number(/held_back=(\d+)/.exec(line)?.[1] ?? 0));
  expect(held.reduce((sum, count) => sum + count, lines.length)).toBe(seconds * each);
});

test("after a quiet second the next of a kind is logged at once again", () => {
  const { throttle, logged } = setUp();
  throttle.warn("full", { n: 1 });
  jest.advanceTimersByTime(SECOND_MS);
  expect(logged()).toEqual(["WARN  full n=1"]);
  throttle.warn("full", { n: 2 });
  expect(logged()).toEqual(["WARN  full n=2"]);
  jest.advanceTimersByTime(5 * SECOND_MS);
  expect(logged()).toEqual([]);
});

test("lines of one kind hold back none of another, nor count for it", () => {
  const { throttle, logged } = setUp();
  for (let n = 1; n <= 3; n++) {
    throttle.warn("full", { n });
    throttle.warn("slow", { n: -n });
  }
  expect(logged()).toEqual(["WARN  full n=1", "WARN  slow n=-1"]);
  throttle.warn("slow", { n: -4 });
  jest.advanceTimersByTime(SECOND_MS);
  expect(logged()).toEqual(["WARN  full n=3 held_back=1", "WARN  slow n=-4 held_back=2"]);
});

test("each line has the level that it was given, at once and after it was held back", () => {
  const { throttle, logged } = setUp("info");
  for (let n = 1; n <= 2; n++) {
    throttle.info("caught up", { n });
    throttle.warn("full", { n });
  }
  expect(logged()).toEqual(["INFO  caught up n=1", "WARN  full n=1"]);
  jest.advanceTimersByTime(SECOND_MS);
  expect(logged()).toEqual(["INFO  caught up n=2", "WARN  full n=2"]);
  const quiet = setUp("warn");
  quiet.throttle.info("caught up", {});
  quiet.throttle.warn("full", {});
  expect(quiet.logged()).toEqual(["WARN  full"]);
});

test("what is held back when it is stopped is logged then, once, and no timer is left", () => {
  const { throttle, logged } = setUp();
  for (let n = 1; n <= 4; n++) throttle.warn("full", { n });
  throttle.info("caught up", { n: 1 });
  throttle.warn("slow", { n: 1 });
  throttle.warn("slow", { n: 2 });
  logged();
  throttle.stop();
  expect(logged()).toEqual(["WARN  full n=4 held_back=2", "WARN  slow n=2"]);
  expect(jest.getTimerCount()).toBe(0);
  jest.advanceTimersByTime(5 * SECOND_MS);
  throttle.stop();
  expect(logged()).toEqual([]);
});
