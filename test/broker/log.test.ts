import { expect, test } from "bun:test";
import { HistoryBudget } from "../../src/broker/history-budget.ts";
import { sizeOf, TopicLog } from "../../src/broker/log.ts";

test("TopicLog keeps the newest events under numbers that are never reused", () => {
  const log = new TopicLog(3);
  expect([log.oldest, log.newest]).toEqual([1, 0]);
  for (let i = 1; i <= 5; i++) expect(log.append(`e${i}`)).toBe(i);
  expect([log.oldest, log.newest]).toEqual([3, 5]);
  expect([log.at(3), log.at(4), log.at(5)]).toEqual(["e3", "e4", "e5"]);
});

test("TopicLog refuses to read what it does not hold", () => {
  const log = new TopicLog(2);
  for (let i = 1; i <= 3; i++) log.append(`e${i}`);
  expect(() => log.at(1)).toThrow(new RangeError("Cannot read seq 1: the log holds 2 to 3"));
  expect(() => log.at(4)).toThrow(RangeError);
  expect(() => new TopicLog(0)).toThrow(RangeError);
});

test("TopicLog counts what it holds, and forgets the oldest first", () => {
  const log = new TopicLog(3);
  for (const text of ["a", "bb", "ccc", "dddd"]) log.append(text);
  expect(log.bytes).toBe(sizeOf("bb") + sizeOf("ccc") + sizeOf("dddd"));
  log.dropOldest();
  log.dropOldest();
  expect([log.oldest, log.newest, log.bytes]).toEqual([4, 4, sizeOf("dddd")]);
  log.dropOldest();
  log.dropOldest();
  expect([log.oldest, log.newest, log.bytes]).toEqual([5, 4, 0]);
  expect(log.append("e")).toBe(5);
  expect(log.at(5)).toBe("e");
});

test("TopicLog finds what it holds by its key, the newest where a key came twice, and counts the key", () => {
  const log = new TopicLog(3);
  log.append("e1", "k");
  log.append("e2");
  log.append("e3", "l");
  expect([log.find("k"), log.find("l"), log.find("m")]).toEqual([1, 3, undefined]);
  expect(log.bytes).toBeGreaterThan(3 * sizeOf("e1") + 2);
  log.append("e4", "l");
  expect([log.find("k"), log.find("l")]).toEqual([undefined, 4]);
  for (let i = 0; i < 2; i++) log.dropOldest();
  expect(log.find("l")).toBe(4);
  log.dropOldest();
  expect([log.find("l"), log.bytes]).toEqual([undefined, 0]);
  log.append("e5", "k");
  log.skipTo(9);
  expect([log.find("k"), log.bytes]).toEqual([undefined, 0]);
});

test("sizeOf never says less than a string takes", () => {
  expect(sizeOf("plain")).toBe(64 + 5);
  expect(sizeOf("naïve")).toBe(64 + 10);
  expect(sizeOf("日本")).toBe(64 + 4);
});

test("HistoryBudget takes the oldest events of the largest topics first", () => {
  const memory = new HistoryBudget(10_000);
  const [small, large, larger] = [new TopicLog(100), new TopicLog(100), new TopicLog(100)];
  for (const log of [small, large, larger]) memory.add(log);
  const event = "x".repeat(200 - sizeOf(""));
  for (let i = 0; i < 5; i++) memory.append(small, event);
  for (let i = 0; i < 30; i++) memory.append(large, event);
  expect(memory.over).toBe(false);
  for (let i = 0; i < 40; i++) memory.append(larger, event);
  expect(memory.over).toBe(true);
  memory.trim();
  expect(memory.used).toBe(small.bytes + large.bytes + larger.bytes);
  expect(memory.used).toBeLessThanOrEqual(10_000);
  expect(memory.used).toBeGreaterThan(8_500);
  expect(small.oldest).toBe(1);
  expect(large.bytes).toBe(larger.bytes);
  expect(larger.newest).toBe(40);
});

test("HistoryBudget holds replays in half of its bound at the most, and gets back what is released", () => {
  const memory = new HistoryBudget(1000);
  const log = new TopicLog(10);
  memory.add(log);
  for (let i = 0; i < 4; i++) memory.append(log, "x".repeat(136));
  const pinned = memory.pin(log, 1, 2);
  expect(pinned).toMatchObject({ first: 1, bytes: 400 });
  expect(memory.pin(log, 3, 3)).toBeUndefined();
  if (pinned !== undefined) memory.unpin(pinned);
  expect(memory.pin(log, 3, 3)).toMatchObject({ bytes: 200 });
  memory.remove(log);
  expect(memory.used).toBe(200);
});
