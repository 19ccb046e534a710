import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Subprocess } from "bun";
import { z } from "zod";
import { scripts } from "../../package.json";
import { allOverRedis, overRedis } from "./redis.ts";
import { LogLines } from "./log-lines.ts";

const ROOT = join(import.meta.dir, "../..");

let built: string | undefined;
let builtIn: string | undefined;

/** To be called when all tests are over: takes away the executable that was built for them. */
export function removeBuilt(): void {
  if (builtIn !== undefined) rmSync(builtIn, { recursive: true, force: true });
}

/** The executable under test: `PUBSUB_BINARY`, or one that is built for this run with the package's own command. */
export function binary(): string {
  const given = process.env["PUBSUB_BINARY"];
  if (given !== undefined) return given;
  if (built !== undefined) return built;
  const folder = mkdtempSync(join(tmpdir(), "pubsub-"));
  builtIn = folder;
  // A test run has no such event: there clean-up.ts does it.
  process.on("exit", removeBuilt);
  const outfile = join(folder, "pubsub");
  const command = scripts.build.replace("dist/pubsub", outfile);
  const { exitCode, stderr } = Bun.spawnSync(["sh", "-c", command], { cwd: ROOT });
  if (exitCode !== 0) throw new Error(`Cannot build: ${stderr.toString()}`);
  built = outfile;
  return outfile;
}

/** Has the executable at `path` be the one under test; without a path, the one that `bun run build` makes. */
export function useBinary(path = join(ROOT, "dist/pubsub")): void {
  const given = resolve(path);
  if (!existsSync(given)) throw new Error(`There is no ${given}: make it with bun run build`);
  process.env["PUBSUB_BINARY"] = given;
}

const startLine = z.object({ port: z.number() });

export type Started = {
  readonly process: Subprocess<"ignore", "pipe", "pipe">;
  readonly port: number;
  readonly url: string;
  readonly wsUrl: string;
  /** What it has logged after that it listens. */
  readonly log: LogLines;
} & AsyncDisposable;

/**
 * Starts the executable on a free port, and waits for the log line that names it.
 *
 * @param under makes of its command the one that is run: on a core of its own, say, or within a limit
 */
export async function startBinary(
  env: Record<string, string> = {},
  cwd = tmpdir(),
  under = (command: string[]) => command,
): Promise<Started> {
  const process = Bun.spawn(under([binary()]), {
    cwd,
    env: { HOST: "127.0.0.1", PORT: "0", LOG_FORMAT: "json", ...(allOverRedis && overRedis()), ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const log = new LogLines(process.stdout);
  const first = await log.next();
  if (first === undefined) throw new Error(`The server ended before it listened: ${await process.stderr.text()}`);
  const { port } = startLine.parse(first);
  return {
    process,
    port,
    log,
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}/ws`,
    [Symbol.asyncDispose]: async () => {
      process.kill("SIGKILL");
      await process.exited;
    },
  };
}

/** Runs the executable to its end. */
export async function runBinary(args: string[], env: Record<string, string> = {}) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([binary(), ...args], { env });
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}
