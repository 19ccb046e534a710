import type { Fields, Logger } from "./logger.ts";

/** How long, in milliseconds, one line stands for all others of its kind. */
const INTERVAL_MS = 1000;

type Level = "info" | "warn";

type Kind = { level: Level; held: number; fields: Fields; timer: ReturnType<typeof setTimeout> };

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

  /** @param message what happened; the same words make the same kind */
  warn(message: string, fields: Fields): void {
    this.#take("warn", message, fields);
  }

  /** @param message what happened; the same words make the same kind */
  info(message: string, fields: Fields): void {
    this.#take("info", message, fields);
  }

  #take(level: Level, message: string, fields: Fields): void {
    const kind = this.#kinds.get(message);
    if (kind === undefined) {
      this.#log[level](message, fields);
      this.#start(level, message);
      return;
    }
    kind.held++;
    kind.fields = fields;
  }

  /** Logs what is held back, and stops the timers. */
  stop(): void {
    for (const [message, kind] of this.#kinds) {
      clearTimeout(kind.timer);
      this.#tell(message, kind);
    }
    this.#kinds.clear();
  }

  #start(level: Level, message: string): void {
    const timer = setTimeout(() => {
      const kind = this.#kinds.get(message);
      this.#kinds.delete(message);
      if (kind !== undefined && this.#tell(message, kind)) this.#start(level, message);
    }, INTERVAL_MS);
    timer.unref();
    this.#kinds.set(message, { level, held: 0, fields: {}, timer });
  }

  #tell(message: string, { level, held, fields }: Kind): boolean {
    if (held > 0) this.#log[level](message, held > 1 ? { ...fields, held_back: held - 1 } : fields);
    return held > 0;
  }
}
