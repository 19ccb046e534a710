/** Answers that a connection owes. None is waited for longer than the connection lives. */
export class Owed {
  readonly #waiting = new Set<(cause: Error) => void>();
  /** How many answers came. */
  answered = 0;
  #answeredBefore = -1;

  /** @param observe is told how long the answer took, in seconds */
  await<T>(answer: Promise<T>, observe: (seconds: number) => void): Promise<T> {
    const since = performance.now();
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      const settled = () => {
        this.#waiting.delete(reject);
        this.answered++;
        observe((performance.now() - since) / 1000);
      };
      answer.then(
        (value) => {
          settled();
          resolve(value);
        },
        (cause: unknown) => {
          settled();
          reject(cause);
        },
      );
    });
  }

  /** The connection is lost: nothing more is answered. */
  fail(): void {
    for (const reject of this.#waiting) reject(new Error("the connection was lost"));
    this.#waiting.clear();
  }

  /** Whether answers are owed, and none came since this was asked last. */
  isStuck(): boolean {
    const isWaiting = this.#waiting.size > 0;
    const isStuck = isWaiting && this.answered === this.#answeredBefore;
    this.#answeredBefore = isWaiting && !isStuck ? this.answered : -1;
    return isStuck;
  }
}
