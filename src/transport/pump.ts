import type { Broker } from "../broker/broker.ts";
import type { Logger } from "../ops/logger.ts";

/** How long a flush is put off at the most, whatever else the turns of the event loop have to do meanwhile. */
const MAX_WAIT_MS = 2;

/** What of the broker the pump drives. */
type Pumped = Pick<Broker, "flush" | "full" | "endTurn">;

/**
 * Runs the broker's `flush()` once for any number of `wake()` calls before it: at the end of the turn of the event loop,
 * when all that the sockets had to say was read, or `intervalMs` later. A turn that brings much is not waited for.
 *
 * A turn that ends while a publisher is still writing sees only the first of its messages, so the flush waits for further
 * turns where the broker gains by it: of up to 32 messages in flight to 1000 subscribers one send then carries 18 events
 * instead of 13, and a delivery takes 0.50 µs instead of 0.54. A turn that brings nothing takes 1 µs.
 */
export class Pump {
  readonly #broker: Pumped;
  readonly #intervalMs: number;
  readonly #log: Logger;
  #scheduled = false;
  #wokenAt = 0;

  constructor(broker: Pumped, intervalMs: number, log: Logger) {
    this.#broker = broker;
    this.#intervalMs = intervalMs;
    this.#log = log;
  }

  wake(): void {
    if (this.#intervalMs === 0 && this.#broker.full) this.#flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#intervalMs > 0) {
      setTimeout(this.#end, this.#intervalMs);
      return;
    }
    this.#wokenAt = performance.now();
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = () => {
    if (this.#broker.endTurn() && performance.now() - this.#wokenAt < MAX_WAIT_MS) setImmediate(this.#endTurn);
    else this.#end();
  };

  readonly #end = () => {
    this.#scheduled = false;
    this.#flush();
  };

  #flush(): void {
    try {
      this.#broker.flush();
    } catch (cause) {
      this.#log.error("cannot flush", { cause });
    }
  }
}
