const LEVELS = { debug: 10, info: 20, warn: 30, error: 40 } as const;

export type Level = keyof typeof LEVELS;
export type Format = "text" | "json";

/** Facts beside a log line's message: plain values, and a `cause` if something failed. */
export type Fields = Record<string, unknown>;

/** Takes a line, unless there is no room for it. Returns whether it did. */
export type WriteLine = (line: string) => boolean;

/** Writes one line for each event of level `level` or above. Where some had to be left out, the next one that is taken says so. */
export class Logger {
  readonly #least: number;
  readonly #format: Format;
  readonly #write: WriteLine;
  #leftOut = 0;

  constructor(level: Level, format: Format, write: WriteLine) {
    this.#least = LEVELS[level];
    this.#format = format;
    this.#write = write;
  }

  debug(message: string, fields: Fields = {}): void {
    this.#log("debug", message, fields);
  }

  info(message: string, fields: Fields = {}): void {
    this.#log("info", message, fields);
  }

  warn(message: string, fields: Fields = {}): void {
    this.#log("warn", message, fields);
  }

  error(message: string, fields: Fields = {}): void {
    this.#log("error", message, fields);
  }

  #log(level: Level, message: string, fields: Fields): void {
    if (LEVELS[level] < this.#least) return;
    if (this.#leftOut > 0) {
      const said = this.#line("warn", "log lines were left out: the reader of the log took none", {
        lines: this.#leftOut,
      });
      if (this.#write(said)) this.#leftOut = 0;
    }
    if (!this.#write(this.#line(level, message, fields))) this.#leftOut++;
  }

  #line(level: Level, message: string, fields: Fields): string {
    const ts = new Date().toISOString();
    const facts = Object.entries(fields).map(([key, value]) => [key, printable(value)] as const);
    if (this.#format === "json") return JSON.stringify({ ts, level, msg: message, ...Object.fromEntries(facts) });
    return [ts, level.toUpperCase().padEnd(5), message, ...facts.map(asText)].join(" ");
  }
}

function printable(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const own = value.stack || `${value.name}: ${value.message}`;
  return value.cause === undefined ? own : `${own}\nCaused by: ${printable(value.cause)}`;
}

function asText([key, value]: readonly [string, unknown]): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /[\s"\p{Cc}]/u.test(text) ? `${key}=${JSON.stringify(text)}` : `${key}=${text}`;
}
