const LEVELS = { debug: 10, info: 20, warn: 30, error: 40 } as const;

export type Level = keyof typeof LEVELS;
export type Format = "text" | "json";

/** Facts beside a log line's message: plain values, and a `cause` if something failed. */
export type Fields = Record<string, unknown>;

/** Writes one line for each event of level `level` or above. */
export class Logger {
  readonly #least: number;
  readonly #format: Format;
  readonly #write: (line: string) => void;

  constructor(level: Level, format: Format, write: (line: string) => void) {
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
    const ts = new Date().toISOString();
    const facts = Object.entries(fields).map(([key, value]) => [key, printable(value)] as const);
    if (this.#format === "json") this.#write(JSON.stringify({ ts, level, msg: message, ...Object.fromEntries(facts) }));
    else this.#write([ts, level.toUpperCase().padEnd(5), message, ...facts.map(asText)].join(" "));
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
