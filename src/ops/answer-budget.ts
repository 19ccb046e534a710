/**
 * The bound on what all clients together leave unread of the answers to their requests: pages of history, and the acks of those
 * who publish and do not read.
 */
export class AnswerBudget {
  /** Bytes. */
  readonly limit: number;
  /** Gives back what was read since; asked for where there is no room, so it has to be cheap if it has nothing to give. */
  reclaim: () => void = () => {};
  #used = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** Whether there is room for so many bytes more. */
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
