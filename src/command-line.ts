import { parseArgs, type ParseArgsConfig } from "node:util";
import { settings, UsageError, type Setting } from "./config.ts";

export type CommandLine = { command: string; help: boolean; version: boolean; flags: Record<string, string> };

/** Splits the command line into the command and its flags. `readConfig` checks their values. */
export function readCommandLine(args: readonly string[]): CommandLine {
  const known = new Map(settings.map((setting) => [setting.flag, setting]));
  const options: NonNullable<ParseArgsConfig["options"]> = {
    help: { type: "boolean", short: "h" },
    version: { type: "boolean", short: "v" },
  };
  for (const { flag } of settings) options[flag.slice(2)] = { type: "string" };
  const given = args.map((arg) => (known.get(arg)?.bare ? `${arg}=true` : arg));
  try {
    const { values, positionals } = parseArgs({ args: given, options, allowPositionals: true });
    const [command = "serve", extra] = positionals;
    if (extra !== undefined) throw new UsageError(`Unexpected argument '${extra}'`);
    const flags: Record<string, string> = {};
    for (const { flag, key } of settings) {
      const value = values[flag.slice(2)];
      if (typeof value === "string") flags[key] = value;
    }
    return { command, help: values["help"] === true, version: values["version"] === true, flags };
  } catch (cause) {
    if (cause instanceof UsageError || !(cause instanceof Error)) throw cause;
    const unknown = args.map((arg) => arg.split("=")[0] ?? arg).find((arg) => isUnknown(arg, known));
    throw new UsageError(unknown === undefined ? cause.message : unknownFlag(unknown));
  }
}

function isUnknown(arg: string, known: ReadonlyMap<string, Setting>): boolean {
  return arg.startsWith("-") && arg !== "--" && !known.has(arg) && !OTHER_FLAGS.includes(arg);
}

const OTHER_FLAGS = ["--help", "-h", "--version", "-v"];

/** The problem with an unknown flag, with the flag that was probably meant. */
function unknownFlag(given: string): string {
  const flags = [...settings.map(({ flag }) => flag), "--help", "--version"];
  const nearest = flags
    .map((flag) => ({ flag, edits: editsBetween(given, flag) }))
    .sort((a, b) => a.edits - b.edits)[0];
  const hint = nearest !== undefined && nearest.edits <= given.length / 2 ? `; did you mean ${nearest.flag}?` : "";
  return `There is no flag ${given}${hint}`;
}

/** How many letters must be inserted, removed or changed to turn `a` into `b`. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const changed = (row[j] ?? 0) + (letter === b[j] ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The text of `--help`. */
export function helpText(): string {
  const width = Math.max(...settings.map(({ flag }) => flag.length));
  return [
    "A real-time pub/sub server that says exactly which messages a slow consumer lost.",
    "",
    "Usage: pubsub [serve] [flags]       run the server",
    "       pubsub key NAME [flags]      make an API key; 'pubsub key --help'",
    "       pubsub token [flags]         make a token to try out; 'pubsub token --help'",
    "       pubsub healthcheck [flags]   exit 0 if the server on --port is ready, 1 if not",
    "       pubsub --help | --version",
    "",
    "Each flag is also an environment variable, --max-history as MAX_HISTORY; the flag counts first.",
    "",
    ...settings.map(({ flag, help, default: fallback, range }) => {
      return `  ${flag.padEnd(width)}  ${help} [${range === undefined ? "" : `${range}; `}${fallback}]`;
    }),
  ].join("\n");
}
