/** How long to wait before another try, in milliseconds. */
export type BackoffOptions = {
  /** The bound of the first wait. Each further one is twice as long. Default 1000. */
  firstMs?: number | undefined;
  /** The longest wait. Default 5000. */
  mostMs?: number | undefined;
};

/** Waits that grow with each failure and are random below their bound, so that a crowd does not come back at once. */
export class Backoff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  #failures = 0;

  constructor({ firstMs = 1000, mostMs = 5000 }: BackoffOptions = {}) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** How long to wait now. */
  next(): number {
    return Math.random() * Math.min(this.#mostMs, this.#firstMs * 2 ** Math.min(this.#failures++, 30));
  }

  /** Begins anew, after a success. */
  reset(): void {
    this.#failures = 0;
  }
}
