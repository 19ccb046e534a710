import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readConfig, settings, UsageError } from "../src/config.ts";
import { readCommandLine, serverHelp as helpText } from "./support/command-line.ts";
import { tempFolder } from "./support/proxies.ts";

/** The table of protocol.md §7: variable, flag, default as `--help` shows it. */
const TABLE = [
  ["HOST", "--host", "0.0.0.0"],
  ["PORT", "--port", "8000"],
  ["MAX_HISTORY", "--max-history", "100"],
  ["MAX_SUBSCRIBER_QUEUE", "--max-subscriber-queue", "50"],
  ["HEARTBEAT_INTERVAL_MS", "--heartbeat-interval-ms", "30000"],
  ["FLUSH_INTERVAL_MS", "--flush-interval-ms", "0"],
  ["SHUTDOWN_GRACE_MS", "--shutdown-grace-ms", "5000"],
  ["CLOSE_GRACE_MS", "--close-grace-ms", "30000"],
  ["AUTO_CREATE_TOPICS", "--auto-create-topics", "false"],
  ["TOPICS", "--topics", "none"],
  ["TOPICS_FILE", "--topics-file", "none"],
  ["MAX_MESSAGE_BYTES", "--max-message-bytes", "1048576"],
  ["MAX_TOPICS", "--max-topics", "10000"],
  ["MAX_CONNECTIONS", "--max-connections", "100000"],
  ["MAX_CONNECTIONS_PER_ADDRESS", "--max-connections-per-address", "100000"],
  ["MAX_HTTP_REQUESTS", "--max-http-requests", "10000"],
  ["MAX_REQUESTS_UNDER_WAY", "--max-requests-under-way", "64"],
  ["TRUSTED_PROXIES", "--trusted-proxies", "none"],
  ["MAX_SUBSCRIPTIONS_PER_CONNECTION", "--max-subscriptions-per-connection", "128"],
  ["MAX_BATCH_MESSAGES", "--max-batch-messages", "100000"],
  ["MAX_MESSAGES_PER_SECOND", "--max-messages-per-second", "0"],
  ["MAX_BYTES_PER_SECOND", "--max-bytes-per-second", "0"],
  ["SEND_BUFFER_BYTES", "--send-buffer-bytes", "262144"],
  ["RECEIVE_BUFFER_BYTES", "--receive-buffer-bytes", "131072"],
  ["HISTORY_MEMORY_BYTES", "--history-memory-bytes", "a quarter of the memory there is, 268435456 at the most"],
  ["UNREAD_ANSWER_BYTES", "--unread-answer-bytes", "a sixteenth of the memory there is, 67108864 at the most"],
  ["UNSENT_EVENT_BYTES", "--unsent-event-bytes", "an eighth of the memory there is, 1073741824 at the most"],
  ["WAITING_FRAME_BYTES", "--waiting-frame-bytes", "a sixteenth of the memory there is, 67108864 at the most"],
  ["ENGINE", "--engine", "memory"],
  ["ENGINE_PREFIX", "--engine-prefix", "pubsub:"],
  ["ENGINE_TIMEOUT_MS", "--engine-timeout-ms", "2000"],
  ["ENGINE_PENDING_BYTES", "--engine-pending-bytes", "a sixteenth of the memory there is, 67108864 at the most"],
  ["ENGINE_CA_FILE", "--engine-ca-file", "none"],
  ["REUSE_PORT", "--reuse-port", "false"],
  ["ALLOWED_ORIGINS", "--allowed-origins", "none"],
  ["DASHBOARD", "--dashboard", "true"],
  ["API_KEYS_FILE", "--api-keys-file", "none"],
  ["JWT_SECRET_FILE", "--jwt-secret-file", "none"],
  ["JWT_PUBLIC_KEY_FILE", "--jwt-public-key-file", "none"],
  ["JWT_JWKS_URL", "--jwt-jwks-url", "none"],
  ["JWT_ISSUER", "--jwt-issuer", "none"],
  ["JWT_AUDIENCE", "--jwt-audience", "none"],
  ["AUTH_TIMEOUT_MS", "--auth-timeout-ms", "5000"],
  ["TLS_CERT_FILE", "--tls-cert-file", "none"],
  ["TLS_KEY_FILE", "--tls-key-file", "none"],
  ["LOG_LEVEL", "--log-level", "info"],
  ["LOG_FORMAT", "--log-format", "text on a terminal, json elsewhere"],
] as const;

/** What the command line and the environment come to. */
function configOf(args: readonly string[], env: Record<string, string> = {}) {
  return readConfig(readCommandLine(args).flags, env);
}

/** What the user is told. */
function problemOf(args: readonly string[], env: Record<string, string> = {}): string {
  try {
    configOf(args, env);
  } catch (cause) {
    if (cause instanceof UsageError) return cause.message;
    throw cause;
  }
  throw new Error(`Accepted: ${JSON.stringify({ args, env })}`);
}

test("the configuration names a claim that no key would check", () => {
  for (const name of ["JWT_ISSUER", "JWT_AUDIENCE"]) {
    expect(problemOf([], { [name]: "x" })).toBe(
      `${name} needs JWT_SECRET_FILE, JWT_PUBLIC_KEY_FILE or JWT_JWKS_URL, got 'x'`,
    );
  }
});

describe("the configuration", () => {
  test("without flags and environment is the defaults of the protocol's table", () => {
    expect(configOf([])).toEqual({
      host: "0.0.0.0",
      port: 8000,
      maxHistory: 100,
      maxSubscriberQueue: 50,
      heartbeatIntervalMs: 30000,
      flushIntervalMs: 0,
      shutdownGraceMs: 5000,
      closeGraceMs: 30000,
      autoCreateTopics: false,
      maxMessageBytes: 1048576,
      maxTopics: 10000,
      maxConnections: 100000,
      maxConnectionsPerAddress: 100000,
      maxHttpRequests: 10000,
      maxRequestsUnderWay: 64,
      maxSubscriptionsPerConnection: 128,
      maxBatchMessages: 100000,
      maxMessagesPerSecond: 0,
      maxBytesPerSecond: 0,
      sendBufferBytes: 262144,
      receiveBufferBytes: 131072,
      historyMemoryBytes: Math.min(268435456, Math.floor(process.constrainedMemory() / 4)),
      unreadAnswerBytes: Math.min(67108864, Math.floor(process.constrainedMemory() / 16)),
      unsentEventBytes: Math.min(1073741824, Math.floor(process.constrainedMemory() / 8)),
      waitingFrameBytes: Math.min(67108864, Math.floor(process.constrainedMemory() / 16)),
      engine: "memory",
      enginePrefix: "pubsub:",
      engineTimeoutMs: 2000,
      enginePendingBytes: Math.min(67108864, Math.floor(process.constrainedMemory() / 16)),
      reusePort: false,
      dashboard: true,
      authTimeoutMs: 5000,
      logLevel: "info",
    });
  });

  test("has the protocol's settings and no others, each as a variable and as a flag", () => {
    expect(settings.map(({ variable, flag, default: fallback }) => [variable, flag, fallback])).toEqual(
      TABLE.map((row) => [...row]),
    );
  });

  test("takes a flag over the environment, and the environment over the default", () => {
    expect(configOf([]).port).toBe(8000);
    expect(configOf([], { PORT: "1" }).port).toBe(1);
    expect(configOf(["--port", "2"], { PORT: "1" }).port).toBe(2);
  });

  test("takes a good flag over a bad environment", () => {
    expect(configOf(["--port", "2"], { PORT: "nonsense" }).port).toBe(2);
  });

  test("takes an empty variable as not set, for every setting", () => {
    expect(configOf([], Object.fromEntries(TABLE.map(([variable]) => [variable, ""])))).toEqual(configOf([]));
  });

  test("does not mind variables that are not its own", () => {
    expect(configOf([], { HOME: "/", MAX_HISTORY_: "x" })).toEqual(configOf([]));
  });

  test("takes the bounds of a number themselves", () => {
    expect(configOf(["--port", "0"]).port).toBe(0);
    expect(configOf(["--port", "65535"]).port).toBe(65535);
    expect(configOf(["--max-history=0", "--max-subscriber-queue=1"])).toMatchObject({
      maxHistory: 0,
      maxSubscriberQueue: 1,
    });
  });

  test.each([
    ["true", true],
    ["1", true],
    ["false", false],
    ["0", false],
  ] as const)("reads the boolean %s as %p", (text, value) => {
    expect(configOf([], { AUTO_CREATE_TOPICS: text }).autoCreateTopics).toBe(value);
  });

  test.each([
    ["*", ["*"]],
    ["https://example.com", ["https://example.com"]],
    ["https://example.com, http://localhost:3000", ["https://example.com", "http://localhost:3000"]],
    ["capacitor://localhost,chrome-extension://abcdef", ["capacitor://localhost", "chrome-extension://abcdef"]],
  ])("reads the origins %s", (text, origins) => {
    expect(configOf([], { ALLOWED_ORIGINS: text }).allowedOrigins).toEqual(origins);
  });
});

test("topics to create are the parts of TOPICS and the lines of TOPICS_FILE", () => {
  expect(configOf([], { TOPICS: " a,b ,a/b,é" }).topics).toEqual(["a", "b", "a/b", "é"]);
  using folder = tempFolder();
  const file = join(folder.path, "topics");
  writeFileSync(file, "a,b\r\n\n c\né");
  expect(configOf([], { TOPICS_FILE: file }).topicsFile).toEqual(["a,b", " c", "é"]);
});

test("topics that are more than MAX_TOPICS allows are a problem of that, wherever it came from", () => {
  const problem = "must be 2 or more for the topics that TOPICS and TOPICS_FILE name, got '1'";
  expect(problemOf(["--topics=a,b"], { MAX_TOPICS: "1" })).toBe(`MAX_TOPICS ${problem}`);
  expect(problemOf(["--max-topics=1"], { TOPICS: "a,b" })).toBe(`--max-topics ${problem}`);
  expect(problemOf([], { TOPICS: Array.from({ length: 10_001 }, (_, i) => i).join() })).toEndWith("got '10000'");
  expect(configOf([], { TOPICS: "a,b,a", MAX_TOPICS: "2" }).topics).toEqual(["a", "b", "a"]);
});

describe("a bad value", () => {
  const cases = [
    ["PORT", "--port", "65536"],
    ["PORT", "--port", "abc"],
    ["PORT", "--port", "80.5"],
    ["PORT", "--port", "8e3"],
    ["PORT", "--port", "0x50"],
    ["PORT", "--port", " 80"],
    ["PORT", "--port", "99999999999999999999"],
    ["MAX_HISTORY", "--max-history", "1000001"],
    ["MAX_SUBSCRIBER_QUEUE", "--max-subscriber-queue", "0"],
    ["TOPICS", "--topics", "a,,b"],
    ["TOPICS_FILE", "--topics-file", "/there/is/no/such/file"],
    ["MAX_MESSAGE_BYTES", "--max-message-bytes", "0"],
    ["HEARTBEAT_INTERVAL_MS", "--heartbeat-interval-ms", "NaN"],
    ["FLUSH_INTERVAL_MS", "--flush-interval-ms", "Infinity"],
    ["MAX_TOPICS", "--max-topics", "0"],
    ["MAX_CONNECTIONS", "--max-connections", "0"],
    ["MAX_SUBSCRIPTIONS_PER_CONNECTION", "--max-subscriptions-per-connection", "0"],
    ["CLOSE_GRACE_MS", "--close-grace-ms", "-1"],
    ["SEND_BUFFER_BYTES", "--send-buffer-bytes", "16383"],
    ["RECEIVE_BUFFER_BYTES", "--receive-buffer-bytes", "67108865"],
    ["UNREAD_ANSWER_BYTES", "--unread-answer-bytes", "1048575"],
    ["UNSENT_EVENT_BYTES", "--unsent-event-bytes", "1048575"],
    ["WAITING_FRAME_BYTES", "--waiting-frame-bytes", "65535"],
    ["ENGINE", "--engine", "redis"],
    ["ENGINE", "--engine", "http://localhost:6379"],
    ["ENGINE", "--engine", "redis://"],
    ["ENGINE", "--engine", "redis://localhost/first"],
    ["ENGINE", "--engine", "redis://localhost/-1"],
    ["ENGINE", "--engine", "redis://localhost/0?timeout=1"],
    ["ENGINE_PREFIX", "--engine-prefix", "with space:"],
    ["ENGINE_PREFIX", "--engine-prefix", "{tag}"],
    ["ENGINE_TIMEOUT_MS", "--engine-timeout-ms", "99"],
    ["ENGINE_PENDING_BYTES", "--engine-pending-bytes", "65535"],
    ["ENGINE_CA_FILE", "--engine-ca-file", "/there/is/no/such/file"],
    ["AUTO_CREATE_TOPICS", "--auto-create-topics", "maybe"],
    ["LOG_LEVEL", "--log-level", "loud"],
    ["LOG_FORMAT", "--log-format", "xml"],
    ["ALLOWED_ORIGINS", "--allowed-origins", "example.com"],
    ["ALLOWED_ORIGINS", "--allowed-origins", "https://example.com/"],
    ["ALLOWED_ORIGINS", "--allowed-origins", "https://example.com/page"],
    ["ALLOWED_ORIGINS", "--allowed-origins", "https://example.com,,http://localhost"],
    ["ALLOWED_ORIGINS", "--allowed-origins", "null"],
  ] as const;

  test.each(cases)("%s (%s) of %p is named with where it came from", (variable, flag, value) => {
    const byVariable = problemOf([], { [variable]: value });
    expect(byVariable).toStartWith(`${variable} must be `);
    expect(byVariable).toEndWith(`got '${value}'`);
    expect(byVariable).not.toContain("\n");

    const byFlag = problemOf([`${flag}=${value}`]);
    expect(byFlag).toBe(byVariable.replace(variable, flag));
    expect(problemOf([`${flag}=${value}`], { [variable]: value })).toBe(byFlag);
  });

  test("says which values would be right", () => {
    expect(problemOf([], { PORT: "70000" })).toContain("from 0 to 65535");
    expect(problemOf([], { LOG_LEVEL: "loud" })).toContain("debug, info, warn, error");
    expect(problemOf([], { LOG_FORMAT: "xml" })).toContain("text, json");
    expect(problemOf([], { AUTO_CREATE_TOPICS: "maybe" })).toContain("true or false");
    expect(problemOf([], { ALLOWED_ORIGINS: "x" })).toContain("https://example.com");
  });

  test("in several settings names each of them, on a line of its own", () => {
    const lines = problemOf(["--max-history=-1"], { PORT: "x", LOG_LEVEL: "loud", ALLOWED_ORIGINS: "y" }).split("\n");
    expect(lines).toHaveLength(4);
    for (const name of ["--max-history", "PORT", "LOG_LEVEL", "ALLOWED_ORIGINS"]) {
      expect(lines.filter((line) => line.startsWith(`${name} must be `))).toHaveLength(1);
    }
  });

  test.each(["--port=", "--host=", "--log-level=", "--allowed-origins=", "--auto-create-topics="])(
    "is an empty flag too: %s",
    (flag) => {
      expect(problemOf([flag])).toStartWith(`${flag.slice(0, -1)} must be `);
    },
  );
});

test("an engine with a wrong address is named without its password", () => {
  const problem = problemOf([], { ENGINE: "redis://user:secret@host/x" });
  expect(problem).toStartWith("ENGINE must be memory, or redis://");
  expect(problem).toEndWith("got 'redis://***@host/x'");
  // Not percent-encoded as it has to be.
  expect(problemOf([], { ENGINE: "redis://:100%@host" })).toEndWith("got 'redis://***@host'");
});

test("settings of an engine that is not there are a problem", () => {
  expect(problemOf([], { REUSE_PORT: "true" })).toStartWith("REUSE_PORT needs ENGINE=redis://");
  using folder = tempFolder();
  const file = join(folder.path, "ca.pem");
  writeFileSync(file, "certificate");
  expect(problemOf([], { ENGINE_CA_FILE: file })).toStartWith("ENGINE_CA_FILE needs ENGINE=rediss://");
  const config = configOf([], { ENGINE: "rediss://u:p@h:1/2", ENGINE_CA_FILE: file, REUSE_PORT: "true" });
  expect(config).toMatchObject({ engine: "rediss://u:p@h:1/2", engineCaFile: "certificate", reusePort: true });
});

describe("the command line", () => {
  test("without arguments is the command serve, with no flags", () => {
    expect(readCommandLine([])).toEqual({ command: "serve", help: false, version: false, flags: {} });
  });

  test.each([
    [["--port", "1"], { port: "1" }],
    [["--port=1"], { port: "1" }],
    [["--port=1", "--port=2"], { port: "2" }],
    [["--allowed-origins=http://a?b=c"], { allowedOrigins: "http://a?b=c" }],
    [["--auto-create-topics"], { autoCreateTopics: "true" }],
    [["--auto-create-topics=false"], { autoCreateTopics: "false" }],
    [["--auto-create-topics", "--port", "1"], { autoCreateTopics: "true", port: "1" }],
  ])("reads the flags %j", (args, flags) => {
    expect(readCommandLine(args).flags).toEqual(flags);
  });

  test("reads a command before and after its flags", () => {
    expect(readCommandLine(["healthcheck", "--port", "1"])).toMatchObject({ command: "healthcheck" });
    expect(readCommandLine(["--auto-create-topics", "healthcheck"])).toMatchObject({
      command: "healthcheck",
      flags: { autoCreateTopics: "true" },
    });
  });

  test.each(["--help", "-h"])("reads %s", (flag) => {
    expect(readCommandLine([flag])).toMatchObject({ help: true, version: false });
  });

  test.each(["--version", "-v"])("reads %s", (flag) => {
    expect(readCommandLine([flag])).toMatchObject({ help: false, version: true });
  });

  test.each([
    ["an unknown flag", ["--colour"], "--colour"],
    ["an unknown flag with a value", ["--max-histroy=5"], "--max-histroy"],
    ["an unknown short flag", ["-x"], "-x"],
    ["a flag without its value", ["--port"], "--port"],
    ["a flag followed by a flag", ["--port", "--host"], "--port"],
    ["a flag that takes no value", ["--help=yes"], "--help"],
    ["a second command", ["serve", "again"], "again"],
  ])("refuses %s, naming it", (_what, args, named) => {
    expect(problemOf(args)).toContain(named);
  });
});

describe("a flag that does not exist", () => {
  test.each([
    ["--max-histroy", "--max-history"],
    ["--max-histroy=5", "--max-history"],
    ["--maxhistory", "--max-history"],
    ["--topic", "--topics"],
    ["--topics-fil", "--topics-file"],
    ["--prot", "--port"],
    ["--hlep", "--help"],
  ])("names the nearest: %s, %s", (given, meant) => {
    expect(problemOf([given])).toBe(`There is no flag ${given.split("=")[0]}; did you mean ${meant}?`);
    expect(problemOf(["--port", "1", given])).toContain(`did you mean ${meant}?`);
  });

  test.each(["--colour", "--something-else-altogether", "-x"])("has no hint where none is near: %s", (given) => {
    expect(problemOf([given])).not.toContain("did you mean");
  });
});

describe("the help text", () => {
  test.each(TABLE)("lists %s as %s with its default, %s", (_variable, flag, fallback) => {
    const lines = helpText()
      .split("\n")
      .filter((line) => line.trimStart().startsWith(`${flag} `));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toEndWith(`${fallback}]`);
  });

  test("tells what a number may be", () => {
    expect(helpText()).toMatch(/--port .*\[0 to 65535; 8000\]\n/);
    const numbers = settings.filter(({ range }) => range !== undefined);
    expect(numbers.length).toBeGreaterThan(10);
    for (const { flag, range, default: fallback } of numbers) {
      expect(range).toMatch(/^\d+ to \d+$/);
      expect(helpText()).toMatch(new RegExp(`^ +${flag} .* \\[${range}; ${fallback}\\]$`, "m"));
    }
  });

  test("names the commands", () => {
    expect(helpText()).toContain("serve");
    expect(helpText()).toContain("healthcheck");
    expect(helpText()).toContain("--help | --version");
  });
});
