import { expect, test } from "bun:test";
import { AnswerBudget } from "../../src/ops/answer-budget.ts";

test("an answer budget has room for so much as was not taken, to the byte", () => {
  const budget = new AnswerBudget(100);
  expect([budget.limit, budget.used, budget.hasRoom(100), budget.hasRoom(101)]).toEqual([100, 0, true, false]);
  budget.take(60);
  expect([budget.used, budget.hasRoom(40), budget.hasRoom(41)]).toEqual([60, true, false]);
  budget.release(20);
  expect([budget.used, budget.hasRoom(60), budget.hasRoom(61)]).toEqual([40, true, false]);
});

test("an answer budget that is overdrawn has no room, not even for nothing, until enough was given back", () => {
  const budget = new AnswerBudget(100);
  budget.take(130);
  expect(budget.hasRoom(0)).toBe(false);
  budget.release(30);
  expect([budget.hasRoom(0), budget.hasRoom(1)]).toEqual([true, false]);
});
