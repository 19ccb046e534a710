import { describe, expect, test } from "bun:test";
import { parseExposition } from "./exposition.ts";

describe("parseExposition", () => {
  test("reads metrics with their samples, in their order", () => {
    const text = `# HELP a What it is.\n# TYPE a gauge\na 1\n# HELP b:c_0 h\n# TYPE b:c_0 counter\nb:c_0{x="\\"\\\\\\n",y="}"} -1.5e-7\nb:c_0 NaN\n`;
    expect([...parseExposition(text)]).toEqual([
      ["a", { type: "gauge", help: "What it is.", samples: [{ name: "a", labels: {}, value: 1 }] }],
      [
        "b:c_0",
        {
          type: "counter",
          help: "h",
          samples: [
            { name: "b:c_0", labels: { x: '"\\\n', y: "}" }, value: -1.5e-7 },
            { name: "b:c_0", labels: {}, value: Number.NaN },
          ],
        },
      ],
    ]);
  });

  test("reads the parts of a histogram, and no others", () => {
    const head = "# HELP m h\n# TYPE m histogram\n";
    const text = `${head}m_bucket{le="+Inf"} 1\nm_sum 2\nm_count 1\n`;
    expect(
      parseExposition(text)
        .get("m")
        ?.samples.map(({ name }) => name),
    ).toEqual(["m_bucket", "m_sum", "m_count"]);
    for (const name of ["m", "m_total", "n_sum"]) expect(() => parseExposition(`${head}${name} 1\n`)).toThrow();
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
