import { readFileSync } from "node:fs";
import { z } from "zod";
import { isName, MAX_NAME_BYTES } from "./protocol/names.ts";

function integer(fallback: number, min: number, max: number, help: string, described = String(fallback)) {
  const problem = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, problem)
    .transform(Number)
    .pipe(z.number().min(min, problem).max(max, problem))
    .prefault(String(fallback))
    .meta({ help, default: described, range: `${min} to ${max}` });
}

function boolean(fallback: boolean, help: string) {
  return z
    .stringbool({ error: "must be true or false" })
    .prefault(String(fallback))
    .meta({ help, default: String(fallback), bare: true });
}

function choice<const T extends readonly [string, ...string[]]>(values: T, fallback: T[number], help: string) {
  return z
    .enum(values, `must be one of ${values.join(", ")}`)
    .prefault(fallback)
    .meta({ help: `${help}: ${values.join(", ")}`, default: fallback });
}

/** `scheme://host[:port]` of a page, or of an app that has its own scheme, such as `capacitor://localhost`. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/i;

function partsOf(text: string): string[] {
  return text.split(",").map((part) => part.trim());
}

const topicNames = z.array(
  z.string().refine(isName, {
    error: ({ input }) =>
      `must be names of topics, 1 to ${MAX_NAME_BYTES} UTF-8 bytes without control characters: '${input}' is none`,
  }),
);

/** The lines of a file that are not empty; a problem if it cannot be read. */
function linesOf(path: string, context: z.RefinementCtx): string[] {
  try {
    const lines = readFileSync(path, "utf8").split(/\r?\n/);
    return lines.filter((line) => line !== "");
  } catch (cause) {
    context.addIssue(`must be a file that can be read: ${cause instanceof Error ? cause.message : String(cause)}`);
    return z.NEVER;
  }
}

const MEBIBYTE = 1024 * 1024;

/** The memory that this process may use, in bytes: the container's, or the machine's. */
const memoryBytes = process.constrainedMemory();

/** The default for history: a quarter of the memory, within bounds that suit any machine. */
const historyBytes = Math.min(256 * MEBIBYTE, Math.max(MEBIBYTE, Math.floor(memoryBytes / 4)));

/** The default for all answers that wait to be read: a sixteenth, within such bounds. */
const answerBytes = Math.min(64 * MEBIBYTE, Math.max(MEBIBYTE, Math.floor(memoryBytes / 16)));

/**
 * Every setting, once: its name, default, bounds and help. Flags, environment, `--help` and the README's table follow.
 *
 * A value comes as text. The text of a problem continues after the name of its setting.
 */
const SETTINGS = {
  host: z.string().min(1, "must be an address").prefault("0.0.0.0").meta({
    help: "address to listen on",
    default: "0.0.0.0",
  }),
  port: integer(8000, 0, 65535, "port to listen on; 0 picks a free one, which the first log line names"),
  maxHistory: integer(100, 0, 1_000_000, "messages a topic keeps for replay; 0 keeps none"),
  maxSubscriberQueue: integer(
    50,
    1,
    1_000_000,
    "messages that may wait for one subscriber before the oldest is dropped",
  ),
  heartbeatIntervalMs: integer(30_000, 0, 86_400_000, "time between pings to every connection; 0 turns them off"),
  flushIntervalMs: integer(
    0,
    0,
    60_000,
    "how long events may wait to be sent together; 0 is until a turn of the event loop ends",
  ),
  shutdownGraceMs: integer(5000, 0, 3_600_000, "how long a shutdown waits for subscribers to take what is queued"),
  closeGraceMs: integer(
    30_000,
    0,
    3_600_000,
    "how long a client whose connection is to be closed may take to read what it was sent",
  ),
  autoCreateTopics: boolean(false, "create a topic by its first use"),
  topics: z
    .string()
    .transform(partsOf)
    .pipe(topicNames)
    .optional()
    .meta({ help: "topics to create at the start, separated by commas", default: "none" }),
  topicsFile: z
    .string()
    .transform(linesOf)
    .pipe(topicNames)
    .optional()
    .meta({ help: "file with topics to create at the start, one on each line", default: "none" }),
  maxMessageBytes: integer(1_048_576, 1, 268_435_456, "size of one frame or request body"),
  maxTopics: integer(10_000, 1, 10_000_000, "topics"),
  maxConnections: integer(
    100_000,
    1,
    10_000_000,
    "connections of subscribers, WebSockets and event streams together; no more than the limit of open files allows",
  ),
  maxSubscriptionsPerConnection: integer(128, 1, 1_000_000, "subscriptions of one connection"),
  sendBufferBytes: integer(
    262_144,
    16_384,
    67_108_864,
    "what the kernel keeps of one connection that its client has not taken; on Linux",
  ),
  receiveBufferBytes: integer(
    131_072,
    16_384,
    67_108_864,
    "what the kernel keeps of one connection that the server has not read; on Linux",
  ),
  historyMemoryBytes: integer(
    historyBytes,
    0,
    1_099_511_627_776,
    "memory for all history together; the oldest messages of the largest topics go first",
    `a quarter of the memory there is, ${256 * MEBIBYTE} at the most`,
  ),
  unreadAnswerBytes: integer(
    answerBytes,
    MEBIBYTE,
    1_099_511_627_776,
    "memory for all answers that wait to be read, pages of history and acks",
    `a sixteenth of the memory there is, ${64 * MEBIBYTE} at the most`,
  ),
  allowedOrigins: z
    .string()
    .transform(partsOf)
    .refine((origins) => origins.every((origin) => origin === "*" || ORIGIN.test(origin)), {
      error: "must be * or a list of origins such as https://example.com,capacitor://localhost, without a path",
    })
    .optional()
    .meta({
      help: "web pages that may connect beside the server's own, by origin, separated by commas; * for all",
      default: "none",
    }),
  logLevel: choice(["debug", "info", "warn", "error"], "info", "the least that is logged"),
  logFormat: z
    .enum(["text", "json"], "must be one of text, json")
    .optional()
    .meta({ help: "log lines as: text, json", default: "text on a terminal, json elsewhere" }),
};

const schema = z.object(SETTINGS).superRefine(({ topics = [], topicsFile = [], maxTopics }, context) => {
  const { size } = new Set([...topics, ...topicsFile]);
  if (size <= maxTopics) return;
  context.addIssue({
    code: "custom",
    path: ["maxTopics"],
    message: `must be ${size} or more for the topics that TOPICS and TOPICS_FILE name`,
  });
});

/** Every setting, read and checked. Times are in milliseconds, sizes in bytes. */
export type Config = z.infer<typeof schema>;

/** A setting as users see it. */
export type Setting = {
  key: string;
  variable: string;
  flag: string;
  default: string;
  /** The allowed range, if it is a number. */
  range: string | undefined;
  help: string;
  bare: boolean;
};

const meta = z.object({
  help: z.string(),
  default: z.string(),
  range: z.string().optional(),
  bare: z.boolean().optional(),
});

export const settings: readonly Setting[] = Object.entries(SETTINGS).map(([key, field]) => {
  const { help, default: fallback, range, bare } = meta.parse(field.meta());
  const words = key.replace(/[A-Z]/g, (letter) => `_${letter}`);
  const variable = words.toUpperCase();
  const flag = `--${words.toLowerCase().replaceAll("_", "-")}`;
  return { key, variable, flag, default: fallback, range, help, bare: bare ?? false };
});

/** The user asks for something that does not exist, or sets a value that is not allowed. */
export class UsageError extends Error {}

/**
 * The configuration: flag over environment over default. An empty variable counts as not set.
 *
 * @throws {UsageError} that names every setting whose value is wrong, where it came from, and what would be right
 */
export function readConfig(flags: Record<string, string>, env: Record<string, string | undefined>): Config {
  const input: Record<string, string | undefined> = {};
  for (const { key, variable } of settings) input[key] = flags[key] ?? (env[variable] || undefined);
  const read = schema.safeParse(input);
  if (read.success) return read.data;
  const problems = new Map<string, string>();
  for (const issue of read.error.issues) {
    const setting = settings.find(({ key }) => key === issue.path[0]);
    if (setting === undefined || problems.has(setting.key)) continue;
    const name = setting.key in flags ? setting.flag : setting.variable;
    problems.set(setting.key, `${name} ${issue.message}, got '${input[setting.key] ?? setting.default}'`);
  }
  throw new UsageError([...problems.values()].join("\n"));
}
