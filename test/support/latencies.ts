/** How long each of many things took, in milliseconds. */
export class Latencies {
  #all: number[] = [];
  #sorted = true;

  get count(): number {
    return this.#all.length;
  }

  add(ms: number): void {
    this.#all.push(ms);
    this.#sorted = false;
  }

  /** What so large a share of them did not exceed; NaN where there are none. */
  percentile(share: number): number {
    if (!this.#sorted) this.#all.sort((a, b) => a - b);
    this.#sorted = true;
    return this.#all[Math.min(this.#all.length - 1, Math.floor(this.#all.length * share))] ?? Number.NaN;
  }
}
