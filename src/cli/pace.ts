/** Spreads work evenly over time: so many a second, without a burst after a delay. */
export class Pace {
  readonly #everyMs: number;
  #next: number | undefined;

  /** @param perSecond 0 is as fast as may be */
  constructor(perSecond: number) {
    this.#everyMs = perSecond === 0 ? 0 : 1000 / perSecond;
  }

  /** Resolves when it is time for the next. */
  async turn(): Promise<void> {
    if (this.#everyMs === 0) return;
    const now = performance.now();
    const at = Math.max(this.#next ?? now, now - LATE_MS);
    this.#next = at + this.#everyMs;
    if (at > now) await Bun.sleep(at - now);
  }
}

/** How much of a delay is made up for, in milliseconds: timers are late by some. */
const LATE_MS = 100;
