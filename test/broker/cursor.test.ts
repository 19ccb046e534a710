import { describe, expect, test } from "bun:test";
import { Cursor, type Queue } from "../../src/broker/cursor.ts";
import type { Overflow } from "../../src/protocol/frames.ts";

const log = (oldest: number, newest: number) => ({ oldest, newest });
const queue = (limit: number, overflow: Overflow = "drop_oldest"): Queue => ({ limit, overflow });

/** A cursor that was sent everything up to `sent`, and replays up to `replayEnd`. */
function cursorAt(sent: number, replayEnd = 0): Cursor {
  const cursor = new Cursor(sent);
  if (replayEnd > 0) cursor.replay(sent, replayEnd);
  return cursor;
}

describe("Cursor.overflows", () => {
  test.each([
    ["a full queue", cursorAt(5), 8, false],
    ["one more", cursorAt(5), 9, true],
    ["a replay, however long, and a full queue", cursorAt(5, 105), 108, false],
    ["a replay and one more", cursorAt(5, 105), 109, true],
    ["a replay that was sent", cursorAt(110, 105), 113, false],
  ])("with a queue of three: %s", (_, cursor, newest, overflows) => {
    expect(cursor.overflows(newest, 3)).toBe(overflows);
  });
});

describe("Cursor.dropsTo", () => {
  test.each([
    ["drop_oldest keeps the newest of the queue", "drop_oldest", 20, 17],
    ["latest keeps the newest only", "latest", 20, 19],
    ["disconnect lets nothing go", "disconnect", 20, 0],
    ["drop_oldest lets nothing go while all fit", "drop_oldest", 13, 0],
    ["latest lets nothing go while all fit", "latest", 13, 0],
  ] as const)("%s", (_, overflow, newest, expected) => {
    expect(cursorAt(10).dropsTo(newest, queue(3, overflow))).toBe(expected);
  });

  test("what was let go stays gone, though all would fit now", () => {
    const cursor = cursorAt(10);
    cursor.applyOverflow(20, queue(3));
    expect(cursor.dropsTo(20, queue(50))).toBe(17);
    expect(cursor.dropsTo(21, queue(3))).toBe(18);
  });
});

describe("Cursor.goneUntil", () => {
  test("is where it stands, where the next event can be sent", () => {
    expect(cursorAt(10).goneUntil(log(1, 20))).toBe(10);
    expect(cursorAt(10).goneUntil(log(11, 20))).toBe(10);
  });

  test("is the end of what the log has let go of", () => {
    expect(cursorAt(10).goneUntil(log(15, 20))).toBe(14);
  });

  test("is the end of what the overflow policy has let go of, but after the replay", () => {
    const cursor = cursorAt(10, 13);
    cursor.applyOverflow(20, queue(3));
    expect(cursor.goneUntil(log(1, 20))).toBe(10);
    cursor.moveTo(13);
    expect(cursor.goneUntil(log(1, 20))).toBe(17);
  });

  test("leaves what is pinned of a replay, whatever the log has let go of", () => {
    const cursor = cursorAt(10, 15);
    cursor.pin(12);
    expect(cursor.goneUntil(log(100, 200))).toBe(11);
    cursor.moveTo(13);
    expect(cursor.goneUntil(log(100, 200))).toBe(13);
    cursor.moveTo(15);
    expect(cursor.goneUntil(log(100, 200))).toBe(99);
    cursor.moveTo(13);
    cursor.unpin();
    expect(cursor.goneUntil(log(100, 200))).toBe(99);
  });
});

test("Cursor.lose counts exactly what was passed over, by reason", () => {
  const cursor = cursorAt(10);
  cursor.lose(14, { queue_full: 3, not_in_history: 1 });
  cursor.moveTo(16);
  cursor.lose(17, { queue_full: 1 });
  expect([cursor.sent, cursor.dropped]).toEqual([17, { queue_full: 4, not_in_history: 1 }]);
});

describe("Cursor.replayStart", () => {
  test.each([
    ["goes back as far as it was asked to", cursorAt(10), 3, 3],
    ["goes no further than what it is to be sent anyway", cursorAt(10), 15, 10],
    ["goes no further than the replay that is being sent", cursorAt(10, 12), 15, 12],
    ["goes back into the replay that is being sent", cursorAt(10, 20), 15, 15],
  ])("%s", (_, cursor, start, expected) => {
    expect(cursor.replayStart(start)).toBe(expected);
  });

  test("goes no further than what the overflow policy has kept", () => {
    const cursor = cursorAt(10);
    cursor.applyOverflow(20, queue(3));
    expect(cursor.replayStart(19)).toBe(17);
  });
});

describe("Cursor.queued and unreported", () => {
  const statsOf = (cursor: Cursor, ...of: Parameters<Cursor["queued"]>) => {
    const { queue_full = 0, not_in_history = 0 } = cursor.unreported(...of);
    return [cursor.queued(...of), queue_full, not_in_history];
  };

  test("of one that was sent everything are nothing", () => {
    expect(statsOf(cursorAt(20), log(1, 20), undefined)).toEqual([0, 0, 0]);
  });

  test("count the queue, and what the policy is about to drop where it is given", () => {
    const cursor = cursorAt(10);
    expect(statsOf(cursor, log(1, 20), undefined)).toEqual([10, 0, 0]);
    expect(statsOf(cursor, log(1, 20), queue(3))).toEqual([3, 7, 0]);
    expect(statsOf(cursor, log(1, 20), queue(3, "latest"))).toEqual([1, 9, 0]);
    expect(statsOf(cursor, log(1, 20), queue(3, "disconnect"))).toEqual([10, 0, 0]);
  });

  test("count a replay beside the queue, as far as it is there", () => {
    expect(statsOf(cursorAt(5, 15), log(1, 20), queue(3))).toEqual([13, 2, 0]);
    expect(statsOf(cursorAt(5, 15), log(9, 20), queue(3))).toEqual([10, 2, 3]);
    const pinned = cursorAt(5, 15);
    pinned.pin(6);
    expect(statsOf(pinned, log(19, 20), queue(3))).toEqual([12, 2, 1]);
  });

  test("leave out what was lost and reported", () => {
    const cursor = cursorAt(5);
    cursor.lose(8, { queue_full: 3 });
    expect(statsOf(cursor, log(12, 20), undefined)).toEqual([9, 0, 3]);
  });
});

test("Cursor.lossesTo tells a full queue from what history no longer has", () => {
  const cursor = cursorAt(5, 8);
  cursor.applyOverflow(20, queue(6));
  expect(cursor.lossesTo(7)).toEqual({ queue_full: 0, not_in_history: 2 });
  expect(cursor.lossesTo(14)).toEqual({ queue_full: 6, not_in_history: 3 });
  expect(cursor.lossesTo(16)).toEqual({ queue_full: 6, not_in_history: 5 });
});

test("Cursor.due counts what was published since it began, and each replay again", () => {
  const cursor = cursorAt(10);
  expect(cursor.due(14)).toBe(4);
  cursor.moveTo(14);
  cursor.replay(12, 14);
  expect(cursor.due(15)).toBe(7);
});
