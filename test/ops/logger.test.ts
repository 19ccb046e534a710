import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { LogOutput } from "../../src/ops/log-output.ts";
import { Logger, type Fields, type Format, type Level } from "../../src/ops/logger.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;
const TS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** What a logger of the given level and format writes while `use` runs. */
function written(level: Level, format: Format, use: (log: Logger) => void): string[] {
  const lines: string[] = [];
  use(new Logger(level, format, (line) => lines.push(line) > 0));
  return lines;
}

/** The one line of one event. */
function lineOf(format: Format, message: string, fields?: Fields): string {
  const [line, ...more] = written("debug", format, (log) => log.error(message, fields));
  if (line === undefined || more.length > 0) throw new Error(`Not one line but ${1 + more.length}`);
  return line;
}

const jsonLine = z.looseObject({ ts: z.string().regex(TS), level: z.enum(LEVELS), msg: z.string() });
const jsonOf = (message: string, fields?: Fields) => jsonLine.parse(JSON.parse(lineOf("json", message, fields)));

describe("Logger", () => {
  test.each(LEVELS.map((level, at) => [level, LEVELS.slice(at)] as const))(
    "of level %s writes the levels %j",
    (least, expected) => {
      const lines = written(least, "json", (log) => {
        for (const level of LEVELS) log[level]("words");
      });
      expect(lines.map((line) => jsonLine.parse(JSON.parse(line)).level)).toEqual([...expected]);
    },
  );

  test("as json writes time, level, words and facts", () => {
    const { ts, ...rest } = jsonOf("started", { port: 8000, host: "::", ok: true, list: [1, "a"] });
    expect(ts).toMatch(TS);
    expect(rest).toEqual({ level: "error", msg: "started", port: 8000, host: "::", ok: true, list: [1, "a"] });
  });

  test("as text writes time, level and words, then each fact as key=value", () => {
    const [ts, ...rest] = lineOf("text", "started", { port: 8000, ok: true, list: [1] }).split(" ");
    expect(ts).toMatch(TS);
    expect(rest).toEqual(["ERROR", "started", "port=8000", "ok=true", "list=[1]"]);
  });

  test.each(LEVELS)("as text pads %s, so that the words stand in one column", (level) => {
    const [line = ""] = written("debug", "text", (log) => log[level]("words"));
    expect(line.slice(25)).toBe(`${level.toUpperCase().padEnd(5)} words`);
  });

  test.each([
    ["white space", "a b", `k="a b"`],
    ["quotes", `a"b`, `k="a\\"b"`],
    ["a line break", "a\nb", `k="a\\nb"`],
    ["nothing to quote", "a=b", "k=a=b"],
  ])("as text quotes a fact with %s as JSON does", (_what, value, fact) => {
    expect(lineOf("text", "words", { k: value })).toEndWith(` words ${fact}`);
  });

  test.each(["text", "json"] as const)("as %s writes a fact that is null or undefined", (format) => {
    expect(lineOf(format, "words", { a: null, b: undefined })).toContain("words");
  });
});

describe("an error among the facts", () => {
  const failing = () => new RangeError("cannot do this");

  test("is printed with its stack as json", () => {
    const cause = failing();
    expect(jsonOf("failed", { cause })["cause"]).toBe(cause.stack);
    expect(cause.stack).toContain("cannot do this");
    expect(cause.stack).toContain(import.meta.file);
  });

  test("is printed with its stack as text, quoted", () => {
    const cause = failing();
    expect(lineOf("text", "failed", { cause })).toEndWith(` failed cause=${JSON.stringify(cause.stack)}`);
  });

  test("is printed by its message where it has no stack", () => {
    const cause = failing();
    delete cause.stack;
    expect(jsonOf("failed", { cause })["cause"]).toBe("RangeError: cannot do this");
  });

  test("may be anything that was thrown", () => {
    expect(jsonOf("failed", { cause: "just words" })["cause"]).toBe("just words");
    expect(jsonOf("failed", { cause: { code: 1 } })["cause"]).toEqual({ code: 1 });
  });

  test.each(["text", "json"] as const)(
    "leaves it one line as %s, whatever its message and the other facts say",
    (format) => {
      const cause = new Error("one\ntwo\r\nthree");
      expect(lineOf(format, "failed", { cause, url: "a\nb\u2028c", nested: { text: "d\ne" } })).not.toMatch(/[\r\n]/);
    },
  );
});

test("while its reader takes nothing, lines past a mebibyte are left out; the next one is preceded by their number", () => {
  const texts: string[] = [];
  const waiting: (() => void)[] = [];
  const { write } = new LogOutput({ write: (text, written) => void (texts.push(text), waiting.push(written)) });
  const log = new Logger("info", "json", write);
  const words = "x".repeat(1000);
  for (let i = 0; i < 5000; i++) log.info(words);
  const taken = texts.length;
  expect(texts.join("").length).toBeLessThan(1.01 * 1024 * 1024 + words.length);
  for (const written of waiting.splice(0)) written();
  log.info("read again");
  const last = texts.slice(taken).map((text) => jsonLine.parse(JSON.parse(text)));
  expect(last).toEqual([
    expect.objectContaining({
      level: "warn",
      msg: "log lines were left out: the reader of the log took none",
      lines: 5000 - taken,
    }),
    expect.objectContaining({ level: "info", msg: "read again" }),
  ]);
});
