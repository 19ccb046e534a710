import { expect, test } from "bun:test";
import { isTraceparent, traceFacts, traceparentIn } from "../../src/protocol/trace.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const GOOD = `00-${TRACE_ID}-00f067aa0ba902b7-01`;

test.each([GOOD, GOOD.replace(/01$/, "00"), GOOD.replace(/^00/, "cc")])("isTraceparent takes %s", (text) => {
  expect(isTraceparent(text)).toBe(true);
});

test.each([
  ["nothing", ""],
  ["version ff", GOOD.replace(/^00/, "ff")],
  ["upper case", GOOD.toUpperCase()],
  ["a trace id of zeros", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`],
  ["a parent id of zeros", `00-${TRACE_ID}-${"0".repeat(16)}-01`],
  ["a field too short", GOOD.replace("4bf", "4b")],
  ["no flags", GOOD.slice(0, -3)],
  ["more after the flags", `${GOOD}-00`],
  ["a line end", `${GOOD}\n`],
  ["a quote", GOOD.replace("4bf", '4"f')],
])("isTraceparent refuses %s", (_, text) => {
  expect(isTraceparent(text)).toBe(false);
});

test("traceparentIn ignores a header that is malformed", () => {
  expect(traceparentIn(new Headers({ traceparent: GOOD }))).toBe(GOOD);
  expect(traceparentIn(new Headers({ traceparent: "rubbish" }))).toBeUndefined();
  expect(traceparentIn(new Headers())).toBeUndefined();
});

test("traceFacts has the trace id, and nothing where there is none", () => {
  expect(traceFacts(GOOD)).toEqual({ trace_id: TRACE_ID });
  expect(traceFacts(undefined)).toEqual({});
});
