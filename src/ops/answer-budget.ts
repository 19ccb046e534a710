/**
 * Bounds what all clients together leave unread of their answers: pages of history, and acks of publishers that do not
 * read.
 */
export class AnswerBudget {
  /** Bytes. */
  readonly limit: number;
  /** Releases what was read since. It runs whenever there is no room, so it must be cheap if it has nothing to release. */
  reclaim: () => void = () => {};
  #used = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** Whether there is room for `bytes` more. */
  hasRoom(bytes: number): boolean {
    if (this.#used + bytes > this.limit) this.reclaim();
    return this.#used + bytes <= this.limit;
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }
}
