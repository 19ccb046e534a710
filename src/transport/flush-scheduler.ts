import type { Logger } from "../ops/logger.ts";

/** How long further turns of the event loop may delay a flush, in milliseconds. */
const MAX_WAIT_MS = 2;

/** Waiting for more messages pays off if each has more subscribers than this. */
const SUBSCRIBERS_PER_MESSAGE = 16;

/** After this many messages a flush does not wait for the end of the turn, unless waiting pays off. */
const ENOUGH_MESSAGES = 32;

export type FlushMetrics = { flushed(seconds: number): void };

/**
 * Decides when to flush. A later flush puts more messages into one send. With an earlier one, clients wait less while
 * the server still reads.
 *
 * - A flush comes at the end of the turn of the event loop, when all that the sockets had to say was read, or
 *   `intervalMs` later.
 * - It waits for further turns, while each brings messages, if few messages go to many subscribers: a turn that ends
 *   while a publisher is still writing sees only the first of them.
 * - It comes at once if many messages go to few subscribers each. Their clients can answer while the server reads on.
 */
export class FlushScheduler {
  readonly #flush: () => void;
  readonly #intervalMs: number;
  readonly #log: Logger;
  readonly #metrics: FlushMetrics;
  #scheduled = false;
  #wokenAt = 0;
  /** When the first message since the last flush was published; undefined if there was none. */
  #firstAt: number | undefined;
  /** How many were published since the last flush. */
  #messages = 0;
  #messagesLastTurn = 0;
  #mostSubscribers = 0;

  /** @param intervalMs how long events may wait to be sent together; 0 means until a turn ends */
  constructor(flush: () => void, intervalMs: number, log: Logger, metrics: FlushMetrics) {
    this.#flush = flush;
    this.#intervalMs = intervalMs;
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Asks for a flush soon, after `messages` were published to `subscribers`. */
  wake(messages: number, subscribers: number): void {
    if (messages > 0) this.begin();
    this.#messages += messages;
    if (subscribers > this.#mostSubscribers) this.#mostSubscribers = subscribers;
    if (this.#intervalMs === 0 && this.#messages >= ENOUGH_MESSAGES && !this.#worthWaiting) this.#flushNow();
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#intervalMs > 0) {
      setTimeout(this.#end, this.#intervalMs);
      return;
    }
    this.#wokenAt = performance.now();
    setImmediate(this.#endTurn);
  }

  /** Call when a publish begins, at the latest before it flushes by itself. Its messages count as published from then on. */
  begin(): void {
    this.#firstAt ??= performance.now();
  }

  get #worthWaiting(): boolean {
    return this.#messages * SUBSCRIBERS_PER_MESSAGE < this.#mostSubscribers;
  }

  readonly #endTurn = (): void => {
    const more = this.#messages > this.#messagesLastTurn;
    this.#messagesLastTurn = this.#messages;
    if (more && this.#worthWaiting && performance.now() - this.#wokenAt < MAX_WAIT_MS) setImmediate(this.#endTurn);
    else this.#end();
  };

  readonly #end = (): void => {
    this.#scheduled = false;
    this.#flushNow();
  };

  #flushNow(): void {
    const firstAt = this.#firstAt;
    this.#firstAt = undefined;
    this.#messages = 0;
    this.#messagesLastTurn = 0;
    this.#mostSubscribers = 0;
    try {
      this.#flush();
      if (firstAt !== undefined) this.#metrics.flushed((performance.now() - firstAt) / 1000);
    } catch (cause) {
      this.#log.error("cannot flush", { cause });
    }
  }
}
