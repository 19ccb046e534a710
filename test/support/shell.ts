import { ROOT } from "./pages.ts";

/** How long a command may take before it counts as stuck. */
const PATIENCE_MS = 50_000;

/** What a terminal runs: a command and the processes that it starts, which end together. */
export class Shell implements AsyncDisposable {
  printed = "";
  readonly #command: readonly string[];
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #reading: Promise<void>;
  readonly #complaints: Promise<string>;
  readonly #patience = setTimeout(() => this.#signal("SIGKILL"), PATIENCE_MS);
  #waiting: (() => void) | undefined;

  constructor(command: readonly string[], env: Record<string, string> = {}) {
    this.#command = command;
    this.#process = Bun.spawn([...command], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      // Left open: at the end of its input wscat would leave.
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      detached: true,
    });
    this.#reading = this.#read();
    this.#complaints = new Response(this.#process.stderr).text();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stdout) {
      this.printed += decoder.decode(chunk, { stream: true });
      this.#waiting?.();
    }
  }

  /** Waits until it has printed this text. */
  async until(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting = () => this.printed.includes(text) && resolve();
    this.#waiting();
    await Promise.race([promise, this.#reading]);
    if (!this.printed.includes(text)) throw new Error(`This never printed '${text}': ${await this.#account()}`);
  }

  /** Waits until it has ended, and everything that it started too, and returns what it printed. */
  async end(): Promise<string> {
    await this.#reading;
    if ((await this.#process.exited) !== 0) throw new Error(`This failed: ${await this.#account()}`);
    return this.printed;
  }

  /** Presses Ctrl+C, and waits until everything has ended. */
  async interrupt(): Promise<void> {
    this.#signal("SIGINT");
    await this.#reading;
    await this.#process.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#patience);
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#signal("SIGKILL");
    await this.#process.exited;
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.#process.pid, signal);
    } catch {
      // Nothing of it is left.
    }
  }

  async #account(): Promise<string> {
    const ending = `exit code ${await this.#process.exited}, signal ${this.#process.signalCode}`;
    return `${this.#command.join(" ")}\n${ending}\n${this.printed}\n${await this.#complaints}`;
  }
}
