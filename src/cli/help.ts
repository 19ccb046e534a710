import type { Argument, Command, Flag } from "./command.ts";
import { EXIT, EXIT_MEANS } from "./exit.ts";

/** The text of `pubsub --help`: the commands, and the flags of the one that need not be named. */
export function helpText(commands: readonly Command[]): string {
  const [first] = commands;
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    "A real-time pub/sub server that says exactly which messages a slow consumer lost.",
    "",
    `Usage: pubsub [${first?.name}] [flags]`,
    "       pubsub COMMAND [arguments] [flags]",
    "       pubsub --help | --version",
    "",
    "Commands; 'pubsub COMMAND --help' says more of each:",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    `Flags of ${first?.name}. ${first?.notes.join(" ")}`,
    ...flagLines(first?.flags ?? []),
  ].join("\n");
}

/** The text of `pubsub COMMAND --help`. */
export function commandHelp({ name, summary, notes, args, flags, example, exits }: Command): string {
  const usage = ["pubsub", name, ...args.map(argumentText), ...(flags.length > 0 ? ["[flags]"] : [])].join(" ");
  const codes = exits.map((exit) => `${EXIT[exit]} ${EXIT_MEANS[exit]}`).join("; ");
  return [
    `Usage: ${usage}`,
    "",
    `${summary[0]?.toUpperCase()}${summary.slice(1)}.`,
    ...notes.flatMap((note) => ["", ...note.split("\n").map(wrapped)]),
    ...(flags.length > 0 ? ["", ...flagLines(flags)] : []),
    "",
    `Exit codes: ${codes}.`,
    "",
    `Example: pubsub ${example}`,
  ].join("\n");
}

/** How wide a paragraph is, in columns. */
const WIDTH = 100;

function wrapped(paragraph: string): string {
  let text = "";
  let column = 0;
  for (const word of paragraph.split(" ")) {
    const isFull = column > 0 && column + 1 + word.length > WIDTH;
    text += isFull ? `\n${word}` : column > 0 ? ` ${word}` : word;
    column = isFull ? word.length : column + word.length + (column > 0 ? 1 : 0);
  }
  return text;
}

function argumentText({ name, isOptional, isMany, choices }: Argument): string {
  const text = `${choices === undefined ? name : choices.join("|")}${isMany === true ? "..." : ""}`;
  return isOptional === true ? `[${text}]` : text;
}

function flagLines(flags: readonly Flag[]): string[] {
  const names = flags.map(({ name, value }) => `${name}${value === undefined ? "" : ` ${value}`}`);
  const width = Math.max(...names.map((name) => name.length));
  return flags.map(({ help, bounds }, index) => {
    return `  ${(names[index] ?? "").padEnd(width)}  ${help}${bounds === "" ? "" : ` [${bounds}]`}`;
  });
}
