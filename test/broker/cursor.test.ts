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

test("Cursor.lose counts exactly what was passed over", () => {
  const cursor = cursorAt(10);
  cursor.lose(14);
  cursor.moveTo(16);
  cursor.lose(17);
  expect([cursor.sent, cursor.dropped]).toEqual([17, 5]);
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

describe("Cursor.stats", () => {
  test("of one that was sent everything are nothing", () => {
    expect(cursorAt(20).stats(log(1, 20), undefined)).toEqual({ queued: 0, dropped: 0 });
  });

  test("count the queue, and what the policy is about to drop where it is given", () => {
    const cursor = cursorAt(10);
    expect(cursor.stats(log(1, 20), undefined)).toEqual({ queued: 10, dropped: 0 });
    expect(cursor.stats(log(1, 20), queue(3))).toEqual({ queued: 3, dropped: 7 });
    expect(cursor.stats(log(1, 20), queue(3, "latest"))).toEqual({ queued: 1, dropped: 9 });
    expect(cursor.stats(log(1, 20), queue(3, "disconnect"))).toEqual({ queued: 10, dropped: 0 });
  });

  test("count a replay beside the queue, as far as it is there", () => {
    expect(cursorAt(5, 15).stats(log(1, 20), queue(3))).toEqual({ queued: 13, dropped: 2 });
    expect(cursorAt(5, 15).stats(log(9, 20), queue(3))).toEqual({ queued: 10, dropped: 5 });
    const pinned = cursorAt(5, 15);
    pinned.pin(6);
    expect(pinned.stats(log(19, 20), queue(3))).toEqual({ queued: 12, dropped: 3 });
  });

  test("count what was lost before, once", () => {
    const cursor = cursorAt(5);
    cursor.lose(8);
    expect(cursor.stats(log(12, 20), undefined)).toEqual({ queued: 9, dropped: 6 });
  });
});
