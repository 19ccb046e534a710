/** Counts by key. The keys are known from the start, so that each is there at zero. */
export class Tally<Key extends string> {
  readonly #counts: Map<Key, number>;

  constructor(keys: readonly Key[]) {
    this.#counts = new Map(keys.map((key) => [key, 0]));
  }

  add(key: Key, count = 1): void {
    this.#counts.set(key, this.of(key) + count);
  }

  of(key: Key): number {
    return this.#counts.get(key) ?? 0;
  }

  get entries(): Iterable<readonly [Key, number]> {
    return this.#counts;
  }

  get total(): number {
    let total = 0;
    for (const count of this.#counts.values()) total += count;
    return total;
  }
}
