import { UsageError } from "../config.ts";
import type { Command, Flag, Line } from "./command.ts";
import { hint } from "./nearest.ts";

/** What a command line asks for. */
export type Asked = {
  command: Command;
  /** Whether the command was named. */
  isNamed: boolean;
  help: boolean;
  version: boolean;
  line: Line;
};

/** Flags of every command. */
const OWN = { "--help": "help", "-h": "help", "--version": "version", "-v": "version" } as const;

/**
 * Cuts the command line into a command, its arguments and its flags. The first command of the list is the one that
 * need not be named. The command itself checks the values.
 *
 * @throws {UsageError} that names what it does not know, and what was probably meant
 */
export function readCommandLine(commands: readonly Command[], given: readonly string[]): Asked {
  const at = commandAt(commands, given);
  if (given[at] === "help") return readCommandLine(commands, [...given.toSpliced(at, 1), "--help"]);
  const name = at < 0 ? commands[0]?.name : given[at];
  const command = commands.find((one) => one.name === name);
  if (command === undefined) {
    const names = commands.map((one) => one.name);
    throw new UsageError(`Unknown command '${name}'${hint(name ?? "", names)}`);
  }
  const rest = at < 0 ? given : given.toSpliced(at, 1);
  const { args, flags, own } = partsOf(command, rest);
  const asked = {
    command,
    isNamed: at >= 0,
    help: own.has("help"),
    version: own.has("version"),
    line: { args, flags },
  };
  if (!asked.help && !asked.version) checkCount(command, args);
  return asked;
}

/** Where the name of the command stands, after flags perhaps; -1 if it is not there. */
function commandAt(commands: readonly Command[], given: readonly string[]): number {
  const flags = commands.flatMap((command) => command.flags);
  for (let at = 0; at < given.length; at++) {
    const word = given[at] ?? "";
    if (word === "--") return -1;
    if (!isFlag(word)) return at;
    const [name = "", value] = cut(word);
    if (isOwn(name)) continue;
    const flag = flags.find((one) => one.name === name);
    if (flag === undefined) throw unknownFlag(name, commands[0]?.flags ?? []);
    if (flag.value !== undefined && value === undefined) at++;
  }
  return -1;
}

function partsOf({ flags: known }: Command, given: readonly string[]) {
  const args: string[] = [];
  const flags: Record<string, string[]> = {};
  const own = new Set<string>();
  for (let at = 0; at < given.length; at++) {
    const word = given[at] ?? "";
    if (word === "--") {
      args.push(...given.slice(at + 1));
      break;
    }
    if (!isFlag(word)) {
      args.push(word);
      continue;
    }
    const [name = "", value] = cut(word);
    if (isOwn(name)) {
      if (value !== undefined) throw new UsageError(`${name} takes no value`);
      own.add(OWN[name]);
      continue;
    }
    const flag = known.find((one) => one.name === name);
    if (flag === undefined) throw unknownFlag(name, known);
    const text = value ?? (flag.value === undefined ? "true" : given[++at]);
    if (text === undefined || (value === undefined && isFlag(text))) throw new UsageError(`${name} needs a value`);
    (flags[flag.key] ??= []).push(text);
  }
  return { args, flags, own };
}

function checkCount({ name, args: wanted, needs }: Command, args: readonly string[]): void {
  const least = wanted.filter(({ isOptional }) => isOptional !== true).length;
  const most = wanted.at(-1)?.isMany === true ? Number.POSITIVE_INFINITY : wanted.length;
  const extra = args[most];
  if (extra !== undefined) {
    const unexpected = `nexpected argument '${extra}'`;
    throw new UsageError(needs === undefined ? `U${unexpected}` : `'${name}' needs ${needs}: u${unexpected}`);
  }
  if (args.length < least) throw new UsageError(`'${name}' needs ${needs}`);
  for (const [index, { choices = [] }] of wanted.entries()) {
    const word = args[index];
    if (word === undefined || choices.length === 0 || choices.includes(word)) continue;
    throw new UsageError(`'${name}' knows no '${word}', only ${choices.join(", ")}${hint(word, choices)}`);
  }
}

/** Whether a word is a flag: not `-`, which is standard input, and no negative number, which is a payload. */
function isFlag(word: string): boolean {
  return /^-[^\d]/.test(word);
}

function cut(word: string): string[] {
  const equals = word.indexOf("=");
  return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
}

function isOwn(name: string): name is keyof typeof OWN {
  return Object.hasOwn(OWN, name);
}

function unknownFlag(name: string, flags: readonly Flag[]): UsageError {
  const names = [...flags.map((flag) => flag.name), "--help", "--version"];
  return new UsageError(`There is no flag ${name}${hint(name, names)}`);
}
