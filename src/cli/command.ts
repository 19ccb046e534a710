import { z } from "zod";
import { UsageError } from "../config.ts";
import { Context, type Environment } from "./context.ts";
import { EXIT } from "./exit.ts";
import { Interrupted } from "./failure.ts";

/** A flag, as users see it. */
export type Flag = {
  key: string;
  /** With its dashes: `--last`. */
  name: string;
  /** What stands for its value in the help; undefined if it has none. */
  value: string | undefined;
  help: string;
  /** What is said of its value in brackets. */
  bounds: string;
  /** The environment variable that stands for it. */
  variable: string | undefined;
  /** The values that it may have, if they are few. */
  choices: readonly string[];
  /** Whether it may be given several times. */
  isMany: boolean;
};

/** What stands on the command line by its place. */
export type Argument = {
  name: string;
  isOptional?: boolean;
  /** Whether any number of them may follow. Only for the last. */
  isMany?: boolean;
  /** The words that it may be, if they are few. */
  choices?: readonly string[];
  /** Whether it is the path of a file. */
  isFile?: boolean;
};

/** A command line, cut into its parts. Values are as they were given. */
export type Line = { args: readonly string[]; flags: Readonly<Record<string, readonly string[]>> };

/** What a command is to those who look at all of them: who reads the command line, writes the help, completes words. */
export type Command = {
  name: string;
  /** What it does, in one line. */
  summary: string;
  /** What else there is to know, a paragraph each. */
  notes: readonly string[];
  args: readonly Argument[];
  /** What it needs by place, in words, for those who forgot it. */
  needs: string | undefined;
  flags: readonly Flag[];
  /** Without the name of the executable. */
  example: string;
  exits: readonly (keyof typeof EXIT)[];
  /** Resolves with the exit code; with undefined if it goes on for as long as the process lives. */
  run(line: Line, env: Environment): Promise<number | undefined>;
};

type Declaration<S extends z.ZodRawShape> = Omit<Command, "flags" | "run" | "notes" | "args" | "needs"> & {
  notes?: readonly string[];
  args?: readonly Argument[];
  needs?: string;
  flags: S;
  /** Whether Ctrl-C is the way to end it, and no failure. */
  isEndless?: boolean;
  run(given: { args: readonly string[]; flags: z.output<z.ZodObject<S>> }, context: Context): Promise<number>;
};

/** Declares a command. Each flag is a schema from text; its `meta` is what users see of it. */
export function command<S extends z.ZodRawShape>(declaration: Declaration<S>): Command {
  const { notes = [], args = [], needs, flags: shape, isEndless = false, run, ...rest } = declaration;
  const schema = z.object(shape);
  const flags = Object.entries(shape).map(([key, field]) => flagOf(key, field));
  return {
    ...rest,
    notes,
    args,
    needs,
    flags,
    run: async (line, env) => {
      const given = { args: line.args, flags: readFlags(schema, flags, line, env) };
      return Context.run(env, (context) =>
        run(given, context).catch((cause: unknown) => {
          if (isEndless && cause instanceof Interrupted) return EXIT.done;
          throw cause;
        }),
      );
    },
  };
}

const meta = z.object({
  help: z.string(),
  value: z.string().optional(),
  default: z.string().optional(),
  range: z.string().optional(),
  bare: z.boolean().optional(),
  many: z.boolean().optional(),
  variable: z.string().optional(),
  choices: z.array(z.string()).optional(),
});

function flagOf(key: string, field: z.core.$ZodType): Flag {
  const {
    help,
    value = "N",
    default: fallback,
    range,
    bare,
    many,
    variable,
    choices,
  } = meta.parse(z.globalRegistry.get(field));
  const bounds = [variable, range, bare === true ? undefined : fallback].filter((one) => one !== undefined);
  return {
    key,
    name: `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    value: bare === true ? undefined : value,
    help,
    bounds: bounds.join("; "),
    variable,
    choices: choices ?? [],
    isMany: many === true,
  };
}

/** @throws {UsageError} that names every flag whose value is wrong, and what would be right */
function readFlags<S extends z.ZodRawShape>(
  schema: z.ZodObject<S>,
  flags: readonly Flag[],
  line: Line,
  env: Environment,
): z.output<z.ZodObject<S>> {
  const input: Record<string, unknown> = {};
  for (const { key, variable, isMany } of flags) {
    const given = line.flags[key];
    const text = given?.at(-1) ?? (variable === undefined ? undefined : env[variable] || undefined);
    input[key] = isMany ? given : text;
  }
  const read = schema.safeParse(input);
  if (read.success) return read.data;
  const problems = new Map<string, string>();
  for (const { path, message } of read.error.issues) {
    const flag = flags.find(({ key }) => key === path[0]);
    if (flag === undefined || problems.has(flag.key)) continue;
    const name = flag.key in line.flags ? flag.name : (flag.variable ?? flag.name);
    problems.set(flag.key, `${name} ${message}${isSecret(flag) ? "" : `, got '${String(input[flag.key])}'`}`);
  }
  throw new UsageError([...problems.values()].join("\n"));
}

/** Credentials are never shown. */
function isSecret({ key }: Flag): boolean {
  return key === "key" || key === "token";
}
