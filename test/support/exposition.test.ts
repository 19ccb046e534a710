import { describe, expect, test } from "bun:test";
import { parseExposition } from "./exposition.ts";

describe("parseExposition", () => {
  test("reads metrics with their samples, in their order", () => {
    const text = `# HELP a What it is.\n# TYPE a gauge\na 1\n# HELP b:c_0 h\n# TYPE b:c_0 counter\nb:c_0{x="\\"\\\\\\n",y="}"} -1.5e-7\nb:c_0 NaN\n`;
    expect([...parseExposition(text)]).toEqual([
      ["a", { type: "gauge", help: "What it is.", samples: [{ labels: {}, value: 1 }] }],
      [
        "b:c_0",
        {
          type: "counter",
          help: "h",
          samples: [
            { labels: { x: '"\\\n', y: "}" }, value: -1.5e-7 },
            { labels: {}, value: Number.NaN },
          ],
        },
      ],
    ]);
  });

  const good = "# HELP m h\n# TYPE m counter\n";
  test.each([
    ["no end of the last line", `${good}m 1`],
    ["a sample before its type", "m 1\n"],
    ["a type without help", "# TYPE m counter\nm 1\n"],
    ["help without a type", "# HELP m h\nm 1\n"],
    ["help for nothing", "# HELP m h\n"],
    ["a type that is none", "# HELP m h\n# TYPE m count\nm 1\n"],
    ["a metric twice", `${good}m 1\n${good}m{a="b"} 1\n`],
    ["a sample of another metric", `${good}n 1\n`],
    ["a sample twice", `${good}m{a="b",c="d"} 1\nm{c="d",a="b"} 2\n`],
    ["no value", `${good}m \n`],
    ["undefined", `${good}m undefined\n`],
    ["JavaScript's infinity", `${good}m Infinity\n`],
    ["an unknown escape", `${good}m{a="\\t"} 1\n`],
    ["a label without quotes", `${good}m{a=b} 1\n`],
    ["a label twice", `${good}m{a="b",a="c"} 1\n`],
    ["a comma too many", `${good}m{a="b",} 1\n`],
    ["an empty line", `${good}\nm 1\n`],
    ["a space too many", `${good}m  1\n`],
  ])("refuses %s", (_what, text) => {
    expect(() => parseExposition(text)).toThrow();
  });
});
