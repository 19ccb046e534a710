import { join } from "node:path";
import { z } from "zod";

const ROOT = join(import.meta.dir, "../..");
const logLine = z.object({ level: z.string(), msg: z.string(), port: z.int().optional() });

/** A server in a process of its own, that watches its timers. */
export type SourceServer = {
  readonly port: number;
  readonly url: string;
  /** Has it shut down. Throws if it left a timer, logged a fault, or did not exit with 0. */
  stop(): Promise<void>;
} & AsyncDisposable;

/** Starts `src/main.ts` on a free port, set by the names of the environment. */
export async function startSource(env: Record<string, string>): Promise<SourceServer> {
  const command = [process.execPath, "--preload", join(import.meta.dir, "count-timers.ts"), "src/main.ts"];
  const server = Bun.spawn(command, {
    cwd: ROOT,
    env: { HOST: "127.0.0.1", PORT: "0", LOG_FORMAT: "json", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const started = Promise.withResolvers<number>();
  const faults: string[] = [];
  const logged = readLog(server.stdout, faults, started.resolve);
  logged.then(() => started.reject(new Error("The server ended before it listened")));
  const complaints = new Response(server.stderr).text();
  const port = await started.promise;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      server.kill("SIGTERM");
      const code = await server.exited;
      await logged;
      const said = `${faults.join("\n")}${await complaints}`;
      if (code !== 0 || said !== "") throw new Error(`The server exited with ${code} and said: ${said}`);
    },
    [Symbol.asyncDispose]: async () => {
      server.kill("SIGKILL");
      await server.exited;
    },
  };
}

async function readLog(stdout: ReadableStream<Uint8Array>, faults: string[], listens: (port: number) => void) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stdout) {
    const lines = `${rest}${decoder.decode(chunk, { stream: true })}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const { level, port } = logLine.parse(JSON.parse(line));
      if (port !== undefined) listens(port);
      if (level === "error") faults.push(line);
    }
  }
}
