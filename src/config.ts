import { z } from "zod";
import { engineSettings } from "./engine-settings.ts";
import { addresses, boolean, choice, integer, origins, text, topicFile, topicList } from "./setting-kinds.ts";

const MEBIBYTE = 1024 * 1024;

/** The memory that this process may use, in bytes: the container's, or the machine's. */
const memoryBytes = process.constrainedMemory();

/** The default for history: a quarter of the memory, within bounds that suit any machine. */
const historyBytes = Math.min(256 * MEBIBYTE, Math.max(MEBIBYTE, Math.floor(memoryBytes / 4)));

/** The default for all answers that wait to be read: a sixteenth, within such bounds. */
const answerBytes = Math.min(64 * MEBIBYTE, Math.max(MEBIBYTE, Math.floor(memoryBytes / 16)));

/** The default for all events that wait for the kernel: an eighth, within such bounds. */
const unsentBytes = Math.min(1024 * MEBIBYTE, Math.max(MEBIBYTE, Math.floor(memoryBytes / 8)));

/**
 * Every setting, once: its name, default, bounds and help. Flags, environment, `--help` and the README's table follow.
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
  topics: topicList("topics to create at the start, separated by commas"),
  topicsFile: topicFile("file with topics to create at the start, one on each line"),
  maxMessageBytes: integer(1_048_576, 1, 268_435_456, "size of one frame or request body"),
  maxTopics: integer(10_000, 1, 10_000_000, "topics"),
  maxConnections: integer(
    100_000,
    1,
    10_000_000,
    "connections of subscribers, WebSockets and event streams together; no more than the limit of open files allows",
  ),
  maxConnectionsPerAddress: integer(
    100_000,
    1,
    10_000_000,
    "the same from one address, or one IPv6 network of 64 bits",
  ),
  maxHttpRequests: integer(10_000, 1, 10_000_000, "HTTP requests under way, without probes and event streams"),
  maxRequestsUnderWay: integer(
    64,
    1,
    1_000_000,
    "requests of one WebSocket that are not answered yet; then it is read no further",
  ),
  trustedProxies: addresses("proxies whose X-Forwarded-For is believed, addresses or subnets separated by commas"),
  maxSubscriptionsPerConnection: integer(128, 1, 1_000_000, "subscriptions of one connection"),
  maxBatchMessages: integer(100_000, 1, 10_000_000, "messages of one publish"),
  maxMessagesPerSecond: integer(
    0,
    0,
    1_000_000_000,
    "messages that one connection may publish a second, over HTTP one address; 0 is no limit",
  ),
  maxBytesPerSecond: integer(
    0,
    0,
    1_000_000_000_000,
    "bytes of payload that one connection may publish a second, over HTTP one address; 0 is no limit",
  ),
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
  unsentEventBytes: integer(
    unsentBytes,
    MEBIBYTE,
    1_099_511_627_776,
    "memory for all events that clients do not take; past it those that have waited longest are cut off",
    `an eighth of the memory there is, ${1024 * MEBIBYTE} at the most`,
  ),
  waitingFrameBytes: integer(
    answerBytes,
    65_536,
    1_099_511_627_776,
    "memory for all frames that wait to be handled; past it they are handled as they come, and others wait",
    `a sixteenth of the memory there is, ${64 * MEBIBYTE} at the most`,
  ),
  ...engineSettings(answerBytes),
  allowedOrigins: origins(
    "web pages that may connect beside the server's own, by origin, separated by commas; * for all",
  ),
  dashboard: boolean(true, "a page at / that shows topics, subscribers and messages; --dashboard=false turns it off"),
  apiKeysFile: text("file with the hashes of API keys, JSON; with it or a JWT setting everybody needs a credential"),
  jwtSecretFile: text("file with the secret of tokens that are signed with HS256, 32 bytes or more"),
  jwtPublicKeyFile: text("file with the public key of tokens, PEM: RS256, ES256 or EdDSA"),
  jwtJwksUrl: text("address of a JSON Web Key Set with the public keys of tokens"),
  jwtIssuer: text("what the claim iss of a token must be"),
  jwtAudience: text("what the claim aud of a token must have"),
  authTimeoutMs: integer(5000, 1, 3_600_000, "how long a WebSocket has to show its credential"),
  tlsCertFile: text("file with the certificate, PEM; with it and TLS_KEY_FILE the port speaks https and wss"),
  tlsKeyFile: text("file with the private key of the certificate, PEM"),
  logLevel: choice(["debug", "info", "warn", "error"], "info", "the least that is logged"),
  logFormat: z
    .enum(["text", "json"], "must be one of text, json")
    .optional()
    .meta({ help: "log lines as: text, json", default: "text on a terminal, json elsewhere" }),
};

/** Where the keys of tokens may come from. */
const KEY_SETTINGS = "JWT_SECRET_FILE, JWT_PUBLIC_KEY_FILE or JWT_JWKS_URL";

const schema = z.object(SETTINGS).superRefine((config, context) => {
  const { topics = [], topicsFile = [], maxTopics, tlsCertFile, tlsKeyFile } = config;
  const { size } = new Set([...topics, ...topicsFile]);
  const refuse = (key: keyof typeof SETTINGS, message: string) => {
    context.addIssue({ code: "custom", path: [key], message });
  };
  if (size > maxTopics) {
    refuse("maxTopics", `must be ${size} or more for the topics that TOPICS and TOPICS_FILE name`);
  }
  const { jwtSecretFile, jwtPublicKeyFile, jwtJwksUrl, jwtIssuer, jwtAudience } = config;
  if ((jwtIssuer ?? jwtAudience) !== undefined && (jwtSecretFile ?? jwtPublicKeyFile ?? jwtJwksUrl) === undefined) {
    refuse(jwtIssuer === undefined ? "jwtAudience" : "jwtIssuer", `needs ${KEY_SETTINGS}`);
  }
  if (config.reusePort && config.engine === "memory") {
    refuse("reusePort", "needs ENGINE=redis://...: processes that share a port have to share their topics, too");
  }
  if (config.engineCaFile !== undefined && !config.engine.startsWith("rediss:")) {
    refuse("engineCaFile", "needs ENGINE=rediss://...");
  }
  if (tlsCertFile !== undefined && tlsKeyFile === undefined) refuse("tlsKeyFile", "must be set with TLS_CERT_FILE");
  if (tlsKeyFile !== undefined && tlsCertFile === undefined) refuse("tlsCertFile", "must be set with TLS_KEY_FILE");
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

/** The settings that bound memory, rates or numbers, by variable. 0 is no limit where the setting says so. */
export function limitsOf(config: Config): Record<string, number> {
  const bounds = /^MAX_|_BYTES$/;
  const values = new Map<string, unknown>(Object.entries(config));
  const limits = settings.filter(({ variable }) => bounds.test(variable));
  return Object.fromEntries(limits.map(({ key, variable }) => [variable, Number(values.get(key))]));
}

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
    problems.set(
      setting.key,
      `${name} ${issue.message}, got '${withoutPassword(input[setting.key] ?? setting.default)}'`,
    );
  }
  throw new UsageError([...problems.values()].join("\n"));
}

/** A value as it may be shown. */
function withoutPassword(value: string): string {
  return value.replace(/\/\/[^@]*@/, "//***@");
}
