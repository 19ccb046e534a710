/** What may wait for the reader of the log, in UTF-16 code units. */
const MOST_WAITING = 1024 * 1024;

/** Where lines go, such as `process.stdout`. `written` is called when a text is there, or never will be. */
export interface LogSink {
  write(text: string, written: () => void): void;
}

/** Writes lines to a sink whose reader may be slow, or stand still. */
export class LogOutput {
  readonly #sink: LogSink;
  #waiting = 0;

  constructor(sink: LogSink) {
    this.#sink = sink;
  }

  /** Writes a line, unless a mebibyte waits already. Returns whether it did. */
  readonly write = (line: string): boolean => {
    if (this.#waiting > MOST_WAITING) return false;
    const text = `${line}\n`;
    this.#waiting += text.length;
    this.#sink.write(text, () => {
      this.#waiting -= text.length;
    });
    return true;
  };
}
