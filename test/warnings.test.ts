import { expect, test } from "bun:test";
import { dangersOf, shortagesOf } from "../src/warnings.ts";

const OPEN = [expect.stringContaining("open to everybody")];
const PLAIN = [expect.stringContaining("unencrypted")];

test.each([
  ["127.0.0.1", false, false, []],
  ["localhost", false, false, []],
  ["::1", false, false, []],
  ["0.0.0.0", false, false, OPEN],
  ["0.0.0.0", false, true, OPEN],
  ["::", false, false, OPEN],
  ["192.168.1.5", false, false, OPEN],
  ["192.168.1.5", true, false, []],
  ["10.0.0.1", true, false, []],
  ["172.16.0.1", true, false, []],
  ["172.32.0.1", true, false, PLAIN],
  ["100.64.0.1", true, false, []],
  ["100.128.0.1", true, false, PLAIN],
  ["203.0.113.7", true, false, PLAIN],
  ["203.0.113.7", true, true, []],
  ["2001:db8::1", true, false, PLAIN],
  ["fd00::1", true, false, []],
] as const)("on %s, with keys %p, with TLS %p", (host, asksForCredential, encrypted, dangers) => {
  expect(dangersOf({ host, asksForCredential, encrypted })).toEqual([...dangers]);
});

test("limits of memory that the machine cannot give are told, and the defaults are not", () => {
  const limits = {
    ...{ historyMemoryBytes: 256, unreadAnswerBytes: 64, unsentEventBytes: 128, waitingFrameBytes: 64 },
    memoryBytes: 1024,
  };
  expect(shortagesOf(limits)).toEqual([]);
  expect(shortagesOf({ ...limits, historyMemoryBytes: 321 })).toEqual([
    expect.stringContaining("HISTORY_MEMORY_BYTES"),
  ]);
});
