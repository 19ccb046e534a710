import type { Subprocess } from "bun";
import type { z } from "zod";

/** A script in a process of its own, given an object, which says what it found in lines of JSON. It ends when told to. */
export class HelperProcess implements AsyncDisposable {
  readonly #process: Subprocess<"pipe", "pipe", "inherit">;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  /** @param under makes of its command the one that is run */
  constructor(script: string, given: object, under = (command: string[]) => command) {
    this.#process = Bun.spawn(under([process.execPath, script, JSON.stringify(given)]), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#chunks = this.#process.stdout.values();
  }

  /** What it says next. */
  async said<T>(schema: z.ZodType<T>): Promise<T> {
    while (!this.#text.includes("\n")) {
      const { value, done } = await this.#chunks.next();
      if (done === true) throw new Error(`A helper has ended: ${this.#text}`);
      this.#text += this.#decoder.decode(value, { stream: true });
    }
    const end = this.#text.indexOf("\n");
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    return schema.parse(JSON.parse(line));
  }

  /** Tells it that it is enough, which it hears of by {@link untilToldToEnd}. */
  end(): void {
    this.#process.stdin.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }
}

/** What this very process was given, as a helper. */
export function given<T>(schema: z.ZodType<T>): T {
  return schema.parse(JSON.parse(process.argv[2] ?? ""));
}

/** Says something to the one who started this very process. */
export function say(words: object): void {
  console.log(JSON.stringify(words));
}

/** Resolves when whoever started this very process wants it to end, or is gone itself. */
export async function untilToldToEnd(): Promise<void> {
  for await (const _ of Bun.stdin.stream());
}
