import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onCore, SERVER_CORE } from "../bench/cores.ts";
import { cpuSeconds } from "../bench/process-usage.ts";
import { startBinary, type Started } from "../support/binary.ts";

/** What the server is given of the machine. */
export type Fence = { memoryBytes?: number; files?: number };

/** What it took of that, since it was last asked for. */
export type Usage = { cgroupMb: number | undefined; residentMb: number; files: number; cpuShare: number };

const MB = 1024 * 1024;
const LOOK_MS = 500;
/** Cgroups, version 1. */
const MEMORY_CGROUPS = "/sys/fs/cgroup/memory";

/** A memory cgroup of its own, without swap. */
class MemoryCgroup {
  readonly procs: string;
  readonly #folder: string;

  constructor(bytes: number) {
    if (!existsSync(join(MEMORY_CGROUPS, "memory.limit_in_bytes"))) {
      throw new Error(`There are no memory cgroups (version 1) in ${MEMORY_CGROUPS}`);
    }
    this.#folder = join(MEMORY_CGROUPS, `pubsub-hostile-${process.pid}`);
    this.procs = join(this.#folder, "cgroup.procs");
    mkdirSync(this.#folder);
    this.#write("memory.limit_in_bytes", bytes);
    if (existsSync(join(this.#folder, "memory.memsw.limit_in_bytes"))) {
      this.#write("memory.memsw.limit_in_bytes", bytes);
    }
  }

  /** The most that was used since the last call. */
  takePeak(): number {
    const peak = Number(readFileSync(join(this.#folder, "memory.max_usage_in_bytes"), "utf8"));
    this.#write("memory.max_usage_in_bytes", 0);
    return peak;
  }

  /** The kernel may need a moment to let go of a process that was killed. */
  remove(): void {
    for (let tries = 100; existsSync(this.#folder); tries--) {
      try {
        rmdirSync(this.#folder);
      } catch (cause) {
        if (tries === 0) throw cause;
        Bun.sleepSync(20);
      }
    }
  }

  #write(name: string, value: number): void {
    writeFileSync(join(this.#folder, name), String(value));
  }
}

/** Runs its arguments with these shell words before them. */
const inShell = (words: string, command: string[]) => ["/bin/sh", "-c", `${words} && exec "$@"`, "sh", ...command];

/** What is left of a stream that somebody has begun to read. */
async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** The executable, with its default settings, within a fence; it is watched for what it takes. */
export class FencedServer implements AsyncDisposable {
  readonly #server: Started;
  readonly #cgroup: MemoryCgroup | undefined;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #said: Promise<[string, string]>;
  #residentMb = 0;
  #files = 0;
  #cpuSeconds = 0;
  #cpuBefore = 0;
  #since = performance.now();

  private constructor(server: Started, cgroup: MemoryCgroup | undefined) {
    this.#server = server;
    this.#cgroup = cgroup;
    const { stdout, stderr } = server.process;
    this.#said = Promise.all([textOf(stdout), textOf(stderr)]);
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    process.once("exit", this.#leaveNothing);
  }

  readonly #leaveNothing = (): void => {
    this.#server.process.kill("SIGKILL");
    this.#cgroup?.remove();
  };

  static async start({ memoryBytes, files }: Fence): Promise<FencedServer> {
    const cgroup = memoryBytes === undefined ? undefined : new MemoryCgroup(memoryBytes);
    try {
      const server = await startBinary({}, undefined, (command) => {
        const pinned = onCore(SERVER_CORE, command);
        const limited = files === undefined ? pinned : inShell(`ulimit -n ${files}`, pinned);
        return cgroup === undefined ? limited : inShell(`echo $$ > ${cgroup.procs}`, limited);
      });
      return new FencedServer(server, cgroup);
    } catch (cause) {
      cgroup?.remove();
      throw cause;
    }
  }

  get port(): number {
    return this.#server.port;
  }

  get url(): string {
    return this.#server.url;
  }

  get alive(): boolean {
    const { exitCode, signalCode } = this.#server.process;
    return exitCode === null && signalCode === null;
  }

  takeUsage(): Usage {
    this.#look();
    const seconds = (performance.now() - this.#since) / 1000;
    const usage = {
      cgroupMb: this.#cgroup === undefined ? undefined : this.#cgroup.takePeak() / MB,
      residentMb: this.#residentMb,
      files: this.#files,
      cpuShare: (this.#cpuSeconds - this.#cpuBefore) / seconds,
    };
    this.#residentMb = 0;
    this.#files = 0;
    this.#cpuBefore = this.#cpuSeconds;
    this.#since = performance.now();
    return usage;
  }

  /** Ends it, and returns how it had ended by itself, if it had, and the last it said of faults. */
  async stop(): Promise<{ ending: string | undefined; complaints: string[] }> {
    const { process } = this.#server;
    const ending = this.alive ? undefined : `exit code ${process.exitCode}, signal ${process.signalCode}`;
    process.kill("SIGKILL");
    await process.exited;
    const [log, errors] = await this.#said;
    const faults = log.split("\n").filter((line) => line !== "" && !line.includes('"level":"info"'));
    return { ending, complaints: [...faults, ...errors.split("\n").filter((line) => line !== "")].slice(-5) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    process.off("exit", this.#leaveNothing);
    await this.#server[Symbol.asyncDispose]();
    this.#cgroup?.remove();
  }

  #look(): void {
    if (!this.alive) return;
    const proc = `/proc/${this.#server.process.pid}`;
    try {
      const resident = /VmRSS:\s*(\d+) kB/.exec(readFileSync(`${proc}/status`, "utf8"))?.[1] ?? 0;
      this.#residentMb = Math.max(this.#residentMb, Number(resident) / 1024);
      this.#files = Math.max(this.#files, readdirSync(`${proc}/fd`).length);
      this.#cpuSeconds = cpuSeconds(this.#server.process.pid);
    } catch {
      // It has died meanwhile.
    }
  }
}
