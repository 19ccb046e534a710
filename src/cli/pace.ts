import { sleep } from "../client/sleep.ts";

/** Spreads work evenly over time: so many a second, without a burst after a delay. */
export class Pace {
  readonly #everyMs: number;
  #next: number | undefined;

  /** @param perSecond 0 is as fast as may be */
  constructor(perSecond: number) {
    this.#everyMs = perSecond === 0 ? 0 : 1000 / perSecond;
  }

  /** Resolves when it is time for the next, or the signal is aborted. */
  async turn(signal: AbortSignal): Promise<void> {
    if (this.#everyMs === 0) return;
    const now = performance.now();
    const at = Math.max(this.#next ?? now, now - LATE_MS);
    this.#next = at + this.#everyMs;
    if (at > now) await pause(at - now, signal);
  }
}

/** Resolves after a time, or once the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(ms, LONGEST_MS), signal).catch(() => {});
}

/** The longest time of a timer: HTML §8.6 has it as a 32-bit integer. */
const LONGEST_MS = 2 ** 31 - 1;

/** How much of a delay is made up for, in milliseconds: timers are late by some. */
const LATE_MS = 100;
