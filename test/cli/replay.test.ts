import { describe, expect, test } from "bun:test";
import { recordLine } from "../../src/cli/record.ts";
import { readLine, ReplayClock } from "../../src/cli/replay.ts";

const ID = "550e8400-e29b-41d4-a716-446655440000";
const TS = "2026-01-02T03:04:05.678Z";
const read = (text: string) => readLine({ number: 3, text, bytes: text.length }, "f");

describe("a recorded message", () => {
  test("is read as it was written, its payload to the last digit", () => {
    const event = { type: "event", topic: "t", epoch: "e", seq: 7, ts: TS, id: ID, payload: '{"n": 1.10}' } as const;
    const line = recordLine(event);
    expect(line).toBe(`{"ts":"${TS}","id":"${ID}","topic":"t","seq":7,"payload":{"n": 1.10}}`);
    expect(read(line)).toEqual({ ts: TS, id: ID, topic: "t", payload: '{"n": 1.10}' });
  });

  test("may be a line of sub, whose gaps are left out", () => {
    expect(read(`{"type":"event","topic":"t","seq":1,"ts":"${TS}","id":"${ID}","payload":null}`)?.payload).toBe("null");
    expect(read(`{"type":"gap","topic":"t","first_seq":1}`)).toBeUndefined();
  });

  test.each([
    "x",
    "1",
    "{}",
    `{"ts":"${TS}","id":"${ID}","topic":"t"}`,
    `{"ts":"x","id":"${ID}","topic":"t","payload":1}`,
  ])("is not %s, and the line is named", (text) => {
    expect(() => read(text)).toThrow("Line 3 of f is not a message as 'record' writes it");
  });
});

describe("a replay", () => {
  test.each([
    [1, 2000],
    [10, 200],
    [0.5, 4000],
    [0, 0],
  ])("%d times as fast waits for %d ms where there were two seconds", (speed, waitMs) => {
    const clock = new ReplayClock(speed, () => 0);
    expect(clock.waitMs("2026-01-02T03:04:05.000Z")).toBe(0);
    expect(clock.waitMs("2026-01-02T03:04:07.000Z")).toBe(waitMs);
  });

  test("makes up for what came late", () => {
    let now = 0;
    const clock = new ReplayClock(1, () => now);
    clock.waitMs("2026-01-02T03:04:05.000Z");
    now = 1500;
    expect(clock.waitMs("2026-01-02T03:04:06.000Z")).toBe(-500);
    expect(clock.waitMs("2026-01-02T03:04:07.000Z")).toBe(500);
  });
});
