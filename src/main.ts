import { version } from "../package.json";
import { helpText, readCommandLine, readConfig, UsageError, type Config } from "./config.ts";
import { checkHealth } from "./healthcheck.ts";
import { Logger } from "./ops/logger.ts";
import { startServer, type RunningServer } from "./server.ts";

const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

async function main(): Promise<number | undefined> {
  const { command, help, version: versionAsked, flags } = readCommandLine(process.argv.slice(2));
  if (help) return print(helpText());
  if (versionAsked) return print(version);
  const config = readConfig(flags, process.env);
  if (command === "serve") return serve(config);
  if (command === "healthcheck") return (await checkHealth(config)) ? EXIT.ok : EXIT.failed;
  throw new UsageError(`Unknown command '${command}'`);
}

/** Starts the server, which from then on keeps the process alive. */
function serve(config: Config): number | undefined {
  const format = config.logFormat ?? (process.stdout.isTTY ? "text" : "json");
  const log = new Logger(config.logLevel, format, (line) => void process.stdout.write(`${line}\n`));
  let server: RunningServer;
  try {
    server = startServer(config, log);
  } catch (cause) {
    console.error(`Cannot listen on ${config.host} port ${config.port}: ${reasonOf(cause)}`);
    return EXIT.failed;
  }
  log.info(`listening on ${server.url}`, { version, host: config.host, port: server.port, pid: process.pid });
  // Whoever read the log may be gone; that is no reason to stop serving.
  process.stdout.on("error", () => {});
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(EXIT.failed);
      stopping = true;
      log.info("shutting down", { signal });
      server.stop().then(
        () => process.exit(EXIT.ok),
        (cause) => {
          log.error("cannot shut down cleanly", { cause });
          process.exit(EXIT.failed);
        },
      );
    });
  }
  return undefined;
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
  return EXIT.ok;
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
