import { describe, expect, test } from "bun:test";
import { readCommandLine } from "../../src/cli/command-line.ts";
import { commandHelp, helpText } from "../../src/cli/help.ts";
import { nearest } from "../../src/cli/nearest.ts";
import { UsageError } from "../../src/config.ts";
import { COMMANDS } from "../support/command-line.ts";

/** What the user is told of a command line. */
function problemOf(...given: string[]): string {
  try {
    readCommandLine(COMMANDS, given);
  } catch (cause) {
    if (cause instanceof UsageError) return cause.message;
    throw cause;
  }
  return "";
}

function lineOf(...given: string[]) {
  return readCommandLine(COMMANDS, given).line;
}

describe("the command line", () => {
  test("gathers a flag that is given several times", () => {
    expect(lineOf("key", "a", "--publish", "x", "--publish=y").flags).toEqual({ publish: ["x", "y"] });
  });

  test("takes what follows -- for arguments", () => {
    expect(lineOf("key", "--", "--publish")).toEqual({ args: ["--publish"], flags: {} });
  });

  test("finds the command after flags with values and without", () => {
    const { command, isNamed, line } = readCommandLine(COMMANDS, ["--admin", "--publish", "serve", "key", "a"]);
    expect([command.name, isNamed]).toEqual(["key", true]);
    expect(line).toEqual({ args: ["a"], flags: { admin: ["true"], publish: ["serve"] } });
  });

  test("asks for the help of a command without what the command needs", () => {
    expect(readCommandLine(COMMANDS, ["key", "--help"])).toMatchObject({ help: true, isNamed: true });
  });

  test("takes help for --help, of a command too", () => {
    expect(readCommandLine(COMMANDS, ["help"])).toMatchObject({ help: true, isNamed: false });
    expect(readCommandLine(COMMANDS, ["help", "sub"])).toMatchObject({ help: true, isNamed: true });
  });

  test.each([
    [["serv"], "Unknown command 'serv'; did you mean serve?"],
    [["tokne"], "Unknown command 'tokne'; did you mean token?"],
    [["something"], "Unknown command 'something'"],
    [["key", "a", "--pubish", "x"], "There is no flag --pubish; did you mean --publish?"],
    [["key", "a", "--port", "1"], "There is no flag --port"],
    [["key"], "'key' needs one name"],
    [["key", "a", "b"], "'key' needs one name: unexpected argument 'b'"],
    [["token", "a"], "Unexpected argument 'a'"],
  ])("%j is refused: %s", (given, problem) => {
    expect(problemOf(...given)).toBe(problem);
  });

  test("knows of each flag whether it has a value, whatever the command", () => {
    const kinds = new Map<string, Set<boolean>>();
    for (const { name, value } of COMMANDS.flatMap(({ flags }) => flags)) {
      kinds.set(name, (kinds.get(name) ?? new Set()).add(value === undefined));
    }
    expect([...kinds].filter(([, kind]) => kind.size > 1)).toEqual([]);
  });
});

describe("the name that was meant", () => {
  test.each([
    ["sbu", "sub"],
    ["pbu", "pub"],
    ["topcis", "topics"],
    ["completions", "completion"],
    ["x", undefined],
    ["zzzzzz", undefined],
  ])("by %s is %s", (given, meant) => {
    expect(nearest(given, ["sub", "pub", "topics", "completion"])).toBe(meant);
  });
});

describe("the help", () => {
  test.each(COMMANDS)("of $name has usage, flags, exit codes and an example that can be read", (command) => {
    const lines = commandHelp(command).split("\n");
    expect(lines[0]).toStartWith(`Usage: pubsub ${command.name}`);
    for (const { name } of command.flags) {
      expect(lines.filter((line) => line.trimStart().startsWith(`${name} `))).toHaveLength(1);
    }
    expect(lines.at(-3)).toStartWith("Exit codes: 0 done;");
    expect(lines.at(-1)).toStartWith(`Example: pubsub ${command.name}`);
    const [words = ""] = command.example.split(/ [|<>]/);
    expect(readCommandLine(COMMANDS, words.replaceAll("'", "").split(" ")).command).toBe(command);
  });

  test("without a command lists each with what it does", () => {
    for (const { name } of COMMANDS) expect(helpText(COMMANDS)).toContain(`  ${name} `);
    for (const { summary } of COMMANDS) expect(helpText(COMMANDS)).toContain(summary);
  });
});
