import { UsageError } from "../config.ts";
import { openLibc } from "../kernel/libc.ts";
import { hasReader } from "../kernel/readers.ts";
import { EXIT } from "./exit.ts";
import { Failure, Interrupted } from "./failure.ts";
import { Output, PipeClosed, streamSink } from "./output.ts";
import { styleFor, type Style } from "./style.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** How long a reader who stalls may take to read the rest, once the command is interrupted. */
const LAST_WORDS_MS = 500;

const STDOUT = 1;

/** How often to look whether the output still has a reader, in milliseconds. */
const READER_MS = 250;

/** What a command finds around it: where it prints, for whom, and whether it is to end. */
export class Context {
  readonly env: Environment;
  /** Standard output. */
  readonly out = new Output(streamSink(process.stdout));
  /** Standard error. */
  readonly err = new Output(streamSink(process.stderr));
  /** Whether people read what is printed, not a program. */
  readonly isTerminal = process.stdout.isTTY === true;
  /** Whether people read what is said on the side. */
  readonly isWatched = process.stderr.isTTY === true;
  readonly style: Style;
  /** Aborted by Ctrl-C, and by SIGTERM. */
  readonly signal: AbortSignal;
  readonly #interrupt: AbortController;

  constructor(env: Environment, interrupt: AbortController) {
    this.env = env;
    this.#interrupt = interrupt;
    this.signal = interrupt.signal;
    this.style = styleFor(this.isTerminal, env);
  }

  /** Prints a line. Resolves when more may be printed. */
  print(line: string): Promise<void> {
    return this.out.write(`${line}\n`);
  }

  /** Says something on the side, for people. */
  note(line: string): void {
    void this.err.write(`${line}\n`);
  }

  /** Interrupts the command once the reader of its output is gone, also while there is nothing to print. On Linux. */
  endWithReader(): void {
    const libc = openLibc();
    if (libc === undefined) return;
    const timer = setInterval(() => {
      if (hasReader(libc, STDOUT)) return;
      clearInterval(timer);
      this.#interrupt.abort();
    }, READER_MS);
    this.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** Resolves once the command is interrupted. */
  whenInterrupted(): Promise<void> {
    return this.orInterrupted(new Promise<never>(() => {})).catch(() => {});
  }

  /** @throws {Interrupted} in place of what `work` resolves with, as soon as the command is interrupted */
  orInterrupted<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = () => reject(new Interrupted());
      if (this.signal.aborted) stop();
      this.signal.addEventListener("abort", stop, { once: true });
      work.then(resolve, reject).finally(() => this.signal.removeEventListener("abort", stop));
    });
  }

  /** Runs a command to its end, and returns its exit code. What went wrong has then been said. */
  static async run(env: Environment, work: (context: Context) => Promise<number>): Promise<number> {
    const interrupt = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        // Whoever presses it twice does not want to wait.
        if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
        interrupt.abort();
      });
    }
    const context = new Context(env, interrupt);
    const code = await settled(
      (async () => {
        const done = await work(context);
        await context.#flushed(context.out);
        return done;
      })(),
      context,
    );
    await context.#flushed(context.err).catch(() => {});
    return code;
  }

  /** Waits until it is all taken; for a while only, if the command was interrupted. */
  async #flushed(output: Output): Promise<void> {
    if (!this.signal.aborted) return output.flush();
    return Promise.race([output.flush(), Bun.sleep(LAST_WORDS_MS)]);
  }
}

async function settled(work: Promise<number>, context: Context): Promise<number> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    if (cause instanceof PipeClosed) return EXIT.done;
    const message = cause instanceof Error ? cause.message : String(cause);
    if (message !== "") context.note(`pubsub: ${message}`);
    return cause instanceof Failure ? cause.exitCode : EXIT.failed;
  }
}
