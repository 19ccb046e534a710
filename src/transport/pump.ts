import type { Logger } from "../ops/logger.ts";

/**
 * Runs `flush` once for any number of `wake()` calls before it: at the end of the turn of the event loop, when all that
 * the sockets had to say was read, or `intervalMs` later.
 */
export class Pump {
  readonly #run: () => void;
  readonly #intervalMs: number;
  #scheduled = false;

  constructor(flush: () => void, intervalMs: number, log: Logger) {
    this.#intervalMs = intervalMs;
    this.#run = () => {
      this.#scheduled = false;
      try {
        flush();
      } catch (cause) {
        log.error("cannot flush", { cause });
      }
    };
  }

  wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#intervalMs === 0) setImmediate(this.#run);
    else setTimeout(this.#run, this.#intervalMs);
  }
}
