/** How finely each doubling of time is divided: percentiles are right to about 3 %. */
const STEPS = 32;

/** The shortest time that is told apart, in milliseconds. */
const LEAST = 0.001;

/** Times in a fixed number of counters, each a little wider than the last, so that any number of them takes no more memory. */
export class Histogram {
  readonly #counts = new Float64Array(STEPS * 40);
  #count = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  get max(): number {
    return this.#max;
  }

  add(ms: number): void {
    const step = Math.floor(Math.log2(Math.max(ms, LEAST) / LEAST) * STEPS);
    const index = Math.min(step, this.#counts.length - 1);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#count++;
    if (ms > this.#max) this.#max = ms;
  }

  /** What so large a share of them did not exceed; NaN if there are none. */
  percentile(share: number): number {
    if (this.#count === 0) return Number.NaN;
    let left = Math.ceil(this.#count * share);
    for (const [index, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.min(this.#max, upperBound(index));
    }
    return this.#max;
  }

  /** How many there are in each doubling of time, from the first that has some to the last. */
  doublings(): { upTo: number; count: number }[] {
    const all: { upTo: number; count: number }[] = [];
    for (let from = 0; from < this.#counts.length; from += STEPS) {
      const count = this.#counts.subarray(from, from + STEPS).reduce((sum, one) => sum + one, 0);
      all.push({ upTo: upperBound(from + STEPS - 1), count });
    }
    const first = all.findIndex(({ count }) => count > 0);
    const last = all.findLastIndex(({ count }) => count > 0);
    return first < 0 ? [] : all.slice(first, last + 1);
  }
}

function upperBound(index: number): number {
  return LEAST * 2 ** ((index + 1) / STEPS);
}
