/** Those who wait for a connection, the longest first. */
export class Waiting {
  readonly #waiting = new Set<{ resolve(): void; reject(cause: Error): void }>();

  /** Resolves with {@link go}; rejects with `problem` after `ms`, at once if that is not above 0. */
  async wait(ms: number, problem: () => Error): Promise<void> {
    if (ms <= 0) throw problem();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const one = { resolve, reject };
    this.#waiting.add(one);
    const timer = setTimeout(() => reject(problem()), ms);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(one);
    }
  }

  go(): void {
    for (const { resolve } of this.#waiting) resolve();
  }

  fail(cause: Error): void {
    for (const { reject } of this.#waiting) reject(cause);
  }
}
