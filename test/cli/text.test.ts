import { describe, expect, test } from "bun:test";
import { jsonLine, PlainLines } from "../../src/cli/event-lines.ts";
import { chunksOf, linesOf, type TextLine } from "../../src/cli/lines.ts";
import { bar } from "../../src/cli/progress.ts";
import { payloadFrom } from "../../src/cli/publisher.ts";
import { harmless, styleFor } from "../../src/cli/style.ts";
import { tableLines } from "../../src/cli/table.ts";
import { timeText } from "../../src/cli/time-text.ts";
import type { Item } from "../../src/client/index.ts";

const PLAIN = styleFor(false, {});
const EVENT: Item<string> = {
  type: "event",
  topic: "t",
  epoch: "e",
  seq: 7,
  ts: "2026-01-02T03:04:05.678Z",
  id: "i",
  payload: "1.10",
};
const GAP: Item<string> = {
  type: "gap",
  topic: "t",
  epoch: "e",
  first_seq: 2,
  last_seq: 3,
  reason: "slow",
  status: "missing",
};

async function* chunks(...texts: (string | number[])[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield typeof text === "string" ? Buffer.from(text) : Uint8Array.from(text);
}

async function linesIn(bytes: AsyncIterable<Uint8Array>, longest?: number): Promise<TextLine[]> {
  const lines: TextLine[] = [];
  for await (const line of linesOf(bytes, longest)) lines.push(line);
  return lines;
}

describe("lines", () => {
  test.each([
    [["a\nb\n"], ["a", "b"]],
    [["a\nb"], ["a", "b"]],
    [
      ["a", "", "b\r", "\n\n\nc"],
      ["ab", "c"],
    ],
    [["\r\n \n"], [" "]],
    [[], []],
  ])("of the chunks %j are %j, wherever they are cut", async (given, texts) => {
    expect((await linesIn(chunks(...given))).map(({ text }) => text)).toEqual(texts);
  });

  test("are numbered as an editor does, and count all bytes", async () => {
    const lines = await linesIn(chunks("a\n\nb\r\nc"));
    expect(lines.map(({ number }) => number)).toEqual([1, 3, 4]);
    expect(lines.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(7);
  });

  test("may be cut within a character", async () => {
    const [first, ...rest] = Buffer.from("é\n");
    expect((await linesIn(chunks([first ?? 0], [...rest])))[0]?.text).toBe("é");
  });

  test("that are too long, or no UTF-8, are named", () => {
    expect(linesIn(chunks("abc\nab", "cd\n"), 3)).rejects.toThrow("Line 2 is longer than 3 bytes");
    expect(linesIn(chunks("a\n\n", [0xff, 0x0a]))).rejects.toThrow("Line 3 is not UTF-8");
  });
});

test("what a stream has ends with it, and at once when nobody wants more", async () => {
  const all: number[] = [];
  for await (const chunk of chunksOf(new Blob(["ab"]).stream(), new AbortController().signal)) all.push(...chunk);
  expect(all).toEqual([97, 98]);
  const stop = new AbortController();
  const silent = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) });
  const reading = (async () => {
    for await (const chunk of chunksOf(silent, stop.signal)) all.push(...chunk);
  })();
  stop.abort();
  await reading;
  expect(all).toHaveLength(2);
});

describe("text for people", () => {
  test("has colours on a terminal only, and none with NO_COLOR", () => {
    expect(styleFor(true, {})("red", "x")).toBe("\u001b[31mx\u001b[0m");
    expect(styleFor(true, { NO_COLOR: "1" })("red", "x")).toBe("x");
    expect(styleFor(true, { NO_COLOR: "" })("red", "x")).toStartWith("\u001b");
    expect(styleFor(true, { TERM: "dumb" })("red", "x")).toBe("x");
    expect(PLAIN("red", "x")).toBe("x");
  });

  test("cannot steer the terminal", () => {
    expect(harmless("a\u001b[2J\u009bé\n")).toBe("a\\u001b[2J\\u009bé\\u000a");
  });

  test("stands in columns, also where characters are wide", () => {
    const columns = [{ title: "TOPIC" }, { title: "N", isRight: true }, { title: "NOTE" }];
    expect(
      tableLines(
        columns,
        [
          ["日本", "1", ""],
          ["a", "1000", "x"],
        ],
        PLAIN,
      ),
    ).toEqual(["TOPIC     N  NOTE", "日本      1", "a      1000  x"]);
  });

  test("of times leaves out what is 0 at the front", () => {
    expect([0, 59, 60, 3661, 86_400].map(timeText)).toEqual(["0s", "59s", "1m 0s", "1h 1m 1s", "1d 0h 0m 0s"]);
  });

  test("of progress never leaves its frame", () => {
    expect([0, 0.5, 1, 3].map((share) => bar(share).length)).toEqual([38, 38, 38, 38]);
    expect(bar(0.5)).toBe(`[${"#".repeat(15)}${" ".repeat(15)}]  50 %`);
  });

  test("has events in columns and gaps in words", () => {
    const lines = new PlainLines(PLAIN, true);
    expect(lines.line(EVENT)).toMatch(/^\d\d:\d\d:05.678  t  7  1\.10$/);
    expect(lines.line({ ...EVENT, topic: "long", seq: 10 })).toMatch(/  long  10  1\.10$/);
    expect(lines.line(EVENT)).toMatch(/  t      7  1\.10$/);
    expect(lines.line(GAP)).toBe("t  gap  2 to 3 are missing: this client did not take them in time");
    expect(lines.line({ ...GAP, status: "filled" })).toBe("t  gap  2 to 3 came late");
    expect(lines.line({ ...GAP, last_seq: undefined, reason: "epoch" })).toContain("from 2 on is not known: the topic");
  });
});

describe("text for programs", () => {
  test("has the payload as it was published, on one line", () => {
    expect(jsonLine(EVENT)).toBe(
      `{"type":"event","topic":"t","epoch":"e","seq":7,"ts":"2026-01-02T03:04:05.678Z","id":"i","payload":1.10}`,
    );
    expect(jsonLine({ ...EVENT, payload: "[\r\n1]" })).toEndWith(`"payload":[  1]}`);
    expect(JSON.parse(jsonLine(GAP))).toEqual(GAP);
  });
});

describe("a payload", () => {
  test.each([
    ["1.10", "1.10"],
    ['{"a": 1}', '{"a": 1}'],
    ["hello", '"hello"'],
    ["01", '"01"'],
    ["", '""'],
    ['"x', '"\\"x"'],
  ])("%s is published as %s", (given, payload) => {
    expect(payloadFrom(given)).toBe(payload);
  });
});
