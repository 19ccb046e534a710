import { readCommandLine as read } from "../../src/cli/command-line.ts";
import { allCommands } from "../../src/cli/commands.ts";
import { helpText } from "../../src/cli/help.ts";

/** Every command. Those that need a server do nothing. */
export const COMMANDS = allCommands({ serve: async () => 0, healthcheck: async () => 0 });

/** What a command line asks for: its command's name, its arguments, and of each flag the last value. */
export function readCommandLine(given: readonly string[]) {
  const { command, help, version, line } = read(COMMANDS, given);
  const flags = Object.entries(line.flags).map(([key, values]) => [key, values.at(-1) ?? ""] as const);
  return { command: command.name, help, version, flags: Object.fromEntries(flags) };
}

/** The text of `pubsub --help`. */
export function serverHelp(): string {
  return helpText(COMMANDS);
}
