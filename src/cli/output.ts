/** Where text goes. Resolves once it is taken. */
export type Sink = (text: string) => Promise<void>;

/** Whoever read this has gone: `pubsub sub t | head -3`. */
export class PipeClosed extends Error {}

/** How much may wait to be taken before a writer has to wait, in characters. */
const ENOUGH = 65_536;

/** Text on its way out. Small pieces go together, and a reader who stalls makes the writer wait: memory is bounded. */
export class Output {
  readonly #sink: Sink;
  #waiting: string[] = [];
  #characters = 0;
  #writing: Promise<void> | undefined;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Resolves when more may be written. Rejects with what the sink threw, now or before. */
  async write(text: string): Promise<void> {
    this.#waiting.push(text);
    this.#characters += text.length;
    if (this.#writing === undefined) {
      this.#writing = this.#drain();
      // Who writes next, or flushes, is told of it.
      this.#writing.catch(() => {});
    }
    if (this.#characters > ENOUGH) await this.#writing;
  }

  /** Resolves once all of it is taken. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    // What is written in this turn of the event loop goes together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join("");
      this.#waiting = [];
      this.#characters = 0;
      await this.#sink(text);
    }
    this.#writing = undefined;
  }
}

/** A stream of the process as a sink. Rejects with {@link PipeClosed} once its reader is gone. */
export function streamSink(stream: NodeJS.WriteStream): Sink {
  // Each write is told of its own error.
  stream.on("error", () => {});
  return (text) =>
    new Promise((resolve, reject) => {
      stream.write(text, (cause) => {
        if (cause === null || cause === undefined) resolve();
        else reject("code" in cause && cause.code === "EPIPE" ? new PipeClosed("The pipe is closed") : cause);
      });
    });
}
