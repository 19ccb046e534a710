import { ProtocolError, type Limit } from "../protocol/codes.ts";
import type { Message } from "../protocol/messages.ts";

export type PublishLimitSettings = {
  /** Messages of one publish. */
  maxBatchMessages: number;
  /** Of one connection; 0 is no limit. */
  maxMessagesPerSecond: number;
  /** Of payloads, of one connection; 0 is no limit. */
  maxBytesPerSecond: number;
};

/** For how many addresses the rates of HTTP are remembered. Beyond that the one that came first begins anew. */
const MOST_ADDRESSES = 10_000;

/**
 * A token bucket: so much a second, and a second's worth at once.
 *
 * What is larger than the bucket is let through when it is full, and then owed.
 */
export class TokenBucket {
  readonly #rate: number;
  #tokens: number;
  #filledAt: number;

  /** @param rate a second @param now milliseconds */
  constructor(rate: number, now: number) {
    this.#rate = rate;
    this.#tokens = rate;
    this.#filledAt = now;
  }

  /** Whether there is room for `amount` now. */
  hasRoom(amount: number, now: number): boolean {
    const passed = Math.max(0, now - this.#filledAt);
    this.#tokens = Math.min(this.#rate, this.#tokens + (passed * this.#rate) / 1000);
    this.#filledAt = now;
    return this.#tokens >= Math.min(amount, this.#rate);
  }

  take(amount: number): void {
    this.#tokens -= amount;
  }
}

/** What one connection, or one address over HTTP, has left of its rates. */
export class PublishRate {
  readonly #settings: PublishLimitSettings;
  readonly #messages: TokenBucket;
  readonly #bytes: TokenBucket;

  constructor(settings: PublishLimitSettings, now: number) {
    this.#settings = settings;
    this.#messages = new TokenBucket(settings.maxMessagesPerSecond, now);
    this.#bytes = new TokenBucket(settings.maxBytesPerSecond, now);
  }

  /** @throws {ProtocolError} `LIMIT_EXCEEDED`, and nothing is taken off */
  take(messages: readonly Message[], now: number): void {
    const { maxMessagesPerSecond, maxBytesPerSecond } = this.#settings;
    const count = messages.length;
    const bytes = maxBytesPerSecond === 0 ? 0 : sizeOf(messages);
    if (maxMessagesPerSecond > 0 && !this.#messages.hasRoom(count, now)) {
      throw tooFast("MAX_MESSAGES_PER_SECOND", maxMessagesPerSecond);
    }
    if (maxBytesPerSecond > 0 && !this.#bytes.hasRoom(bytes, now))
      throw tooFast("MAX_BYTES_PER_SECOND", maxBytesPerSecond);
    this.#messages.take(count);
    this.#bytes.take(bytes);
  }
}

function sizeOf(messages: readonly Message[]): number {
  return messages.reduce((sum, { payload }) => sum + Buffer.byteLength(payload), 0);
}

function tooFast(limit: Limit, value: number): ProtocolError {
  return new ProtocolError("LIMIT_EXCEEDED", `${limit} is ${value}: publish more slowly`, { limit });
}

/** Bounds what is published at once, and how fast. */
export class PublishLimits {
  readonly #settings: PublishLimitSettings;
  readonly #byAddress = new Map<string, PublishRate>();
  readonly #bySession = new WeakMap<object, PublishRate>();

  constructor(settings: PublishLimitSettings) {
    this.#settings = settings;
  }

  /**
   * Checks a publish, and counts it.
   *
   * @param publisher the connection, or the address where each request may have a connection of its own
   * @throws {ProtocolError} `LIMIT_EXCEEDED`
   */
  check(publisher: object | string, messages: readonly Message[]): void {
    const { maxBatchMessages, maxMessagesPerSecond, maxBytesPerSecond } = this.#settings;
    if (messages.length > maxBatchMessages) {
      const problem = `MAX_BATCH_MESSAGES is ${maxBatchMessages}, and these are ${messages.length}`;
      throw new ProtocolError("LIMIT_EXCEEDED", problem, { limit: "MAX_BATCH_MESSAGES" });
    }
    if (maxMessagesPerSecond === 0 && maxBytesPerSecond === 0) return;
    const now = performance.now();
    this.#rateOf(publisher, now).take(messages, now);
  }

  #rateOf(publisher: object | string, now: number): PublishRate {
    if (typeof publisher === "object") {
      const known = this.#bySession.get(publisher);
      if (known !== undefined) return known;
      const rate = new PublishRate(this.#settings, now);
      this.#bySession.set(publisher, rate);
      return rate;
    }
    const known = this.#byAddress.get(publisher);
    if (known !== undefined) return known;
    const [first] = this.#byAddress.keys();
    if (first !== undefined && this.#byAddress.size >= MOST_ADDRESSES) this.#byAddress.delete(first);
    const rate = new PublishRate(this.#settings, now);
    this.#byAddress.set(publisher, rate);
    return rate;
  }
}
