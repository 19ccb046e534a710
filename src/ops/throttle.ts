import type { Fields, Logger } from "./logger.ts";

/** How long, in milliseconds, one line stands for all others of its kind. */
const INTERVAL_MS = 1000;

type Level = "info" | "warn";

type Kind = { level: Level; message: string; held: number; fields: Fields; timer: ReturnType<typeof setTimeout> };

/**
 * Logs lines that clients can cause as often as they like: at most one of each kind in a second.
 *
 * The first of a kind is logged at once. When the second is over, the last one that followed is logged, with the number
 * of the others as `held_back`.
 */
export class Throttle {
  readonly #log: Logger;
  readonly #kinds = new Map<string, Kind>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * @param message what happened; the same words make the same kind
   * @param part tells kinds of the same words apart
   */
  warn(message: string, fields: Fields, part = ""): void {
    this.#take("warn", message, fields, part);
  }

  /** @param message what happened; the same words make the same kind */
  info(message: string, fields: Fields): void {
    this.#take("info", message, fields, "");
  }

  #take(level: Level, message: string, fields: Fields, part: string): void {
    const name = `${message} ${part}`;
    const kind = this.#kinds.get(name);
    if (kind === undefined) {
      this.#log[level](message, fields);
      this.#start(level, message, name);
      return;
    }
    kind.held++;
    kind.fields = fields;
  }

  /** Logs what is held back, and stops the timers. */
  stop(): void {
    for (const kind of this.#kinds.values()) {
      clearTimeout(kind.timer);
      this.#tell(kind);
    }
    this.#kinds.clear();
  }

  #start(level: Level, message: string, name: string): void {
    const timer = setTimeout(() => {
      const kind = this.#kinds.get(name);
      this.#kinds.delete(name);
      if (kind !== undefined && this.#tell(kind)) this.#start(level, message, name);
    }, INTERVAL_MS);
    timer.unref();
    this.#kinds.set(name, { level, message, held: 0, fields: {}, timer });
  }

  #tell({ level, message, held, fields }: Kind): boolean {
    if (held > 0) this.#log[level](message, held > 1 ? { ...fields, held_back: held - 1 } : fields);
    return held > 0;
  }
}
