/** Gives up after a time, unless what it waits for comes before. */
export class Patience {
  readonly #ms: number;
  readonly #giveUp: (problem: Error) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number, giveUp: (problem: Error) => void) {
    this.#ms = ms;
    this.#giveUp = giveUp;
  }

  /** Waits from now on, if it does not already. @param problem what it gives up with */
  begin(problem: Error): void {
    this.#timer ??= setTimeout(() => this.#giveUp(problem), this.#ms);
  }

  /** It has come, or nobody waits for it any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
