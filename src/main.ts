import { isIP } from "node:net";
import { lookup } from "node:dns/promises";
import { version } from "../package.json";
import { openCredentials } from "./auth/open.ts";
import { readCommandLine } from "./cli/command-line.ts";
import type { Line } from "./cli/command.ts";
import { allCommands } from "./cli/commands.ts";
import { EXIT } from "./cli/exit.ts";
import { commandHelp, helpText } from "./cli/help.ts";
import { readConfig, UsageError, type Config } from "./config.ts";
import { checkHealth } from "./healthcheck.ts";
import { LogOutput } from "./ops/log-output.ts";
import { Logger } from "./ops/logger.ts";
import { startServer, type RunningServer, type ServerParts } from "./server.ts";
import { readTls } from "./tls.ts";

async function main(): Promise<number | undefined> {
  const commands = allCommands({
    serve: async (line, env) => serve(readConfig(settingsIn(line), env)),
    healthcheck: async (line, env) => {
      const isReady = await checkHealth(readConfig(settingsIn(line), env), "port" in line.flags);
      return isReady ? EXIT.done : EXIT.failed;
    },
  });
  const { command, isNamed, help, version: versionAsked, line } = readCommandLine(commands, process.argv.slice(2));
  if (help) return print(isNamed ? commandHelp(command) : helpText(commands));
  if (versionAsked) return print(version);
  return command.run(line, process.env);
}

/** The settings on the command line. Of one that is given twice the last counts. */
function settingsIn({ flags }: Line): Record<string, string> {
  return Object.fromEntries(Object.entries(flags).map(([key, values]) => [key, values.at(-1) ?? ""]));
}

/** Starts the server. From then on it keeps the process alive. */
async function serve(config: Config): Promise<number | undefined> {
  const format = config.logFormat ?? (process.stdout.isTTY ? "text" : "json");
  const log = new Logger(config.logLevel, format, new LogOutput(process.stdout).write);
  await checkHost(config.host);
  // The reader of the log may go away. That is no reason to stop serving.
  process.stdout.on("error", () => {});
  let server: RunningServer | undefined;
  // This comes before the log says that the server listens: a script that waits for that may send a signal at once.
  obeySignals(log, () => server);
  const parts = await readParts(config);
  try {
    server = startServer(config, log, parts);
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    console.error(`Cannot listen on HOST ${config.host}, PORT ${config.port}: ${reasonOf(cause)}`);
    return EXIT.failed;
  }
  return undefined;
}

/** @throws {UsageError} where a key or a certificate cannot be used */
async function readParts(config: Config): Promise<ServerParts> {
  try {
    return { credentials: await openCredentials(config), tls: await readTls(config) };
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause));
  }
}

/** @param running the server, as soon as it runs */
function obeySignals(log: Logger, running: () => RunningServer | undefined): void {
  process.on("SIGHUP", () => void running()?.reload());
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(EXIT.failed);
      stopping = true;
      log.info("shutting down", { signal });
      Promise.resolve(running()?.stop()).then(
        () => process.exit(EXIT.done),
        (cause) => {
          log.error("cannot shut down cleanly", { cause });
          process.exit(EXIT.failed);
        },
      );
    });
  }
}

/** @throws {UsageError} if HOST is a name that does not resolve, such as the one that conda sets for its own use */
async function checkHost(host: string): Promise<void> {
  if (isIP(host) !== 0) return;
  try {
    await lookup(host);
  } catch {
    throw new UsageError(
      `HOST must be an address of this machine or a name of one, got '${host}', which does not resolve`,
    );
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = "code" in cause ? cause.code : undefined;
  if (code === "EADDRINUSE") return "the port is in use; choose another with --port or PORT";
  if (code === "EADDRNOTAVAIL" || code === "EINVAL") return "HOST is not an address of this machine";
  if (code === "EACCES") return "not permitted; choose a port above 1023";
  return cause.message;
}

function print(text: string): number {
  console.log(text);
  return EXIT.done;
}

main().then(
  (code) => {
    if (code !== undefined) process.exit(code);
  },
  (cause) => {
    if (!(cause instanceof UsageError)) throw cause;
    console.error(`${cause.message}\nTry --help.`);
    process.exit(EXIT.usage);
  },
);
