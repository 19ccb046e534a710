import { z } from "zod";

const lineSchema = z.looseObject({ ts: z.iso.datetime(), level: z.string(), msg: z.string() });

export type LogLine = z.infer<typeof lineSchema>;

/** The JSON log of a process, read line by line when it is asked for. */
export class LogLines {
  readonly #stream: ReadableStream<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#stream = stream;
  }

  /** The next line; undefined at the end of the log. */
  async next(): Promise<LogLine | undefined> {
    while (!this.#rest.includes("\n")) {
      const reader = this.#stream.getReader();
      const { value, done } = await reader.read();
      reader.releaseLock();
      if (done) return undefined;
      this.#rest += this.#decoder.decode(value, { stream: true });
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return lineSchema.parse(JSON.parse(line));
  }

  /** The next line that says `msg`; what comes before it is passed over. */
  async until(msg: string): Promise<LogLine> {
    const passed: string[] = [];
    for (let line = await this.next(); line !== undefined; line = await this.next()) {
      if (line.msg === msg) return line;
      passed.push(line.msg);
    }
    throw new Error(`The log has ended without '${msg}': ${passed.join(", ")}`);
  }
}
