import type { Crowd, Outlet } from "./ports.ts";

/** Outlets of whatever kind, in the order in which they are sent what all of them get. */
export class Several implements Crowd {
  readonly #outlets: Outlet[];

  /** @param outlets theirs from now on: their order changes */
  constructor(outlets: Outlet[]) {
    this.#outlets = outlets;
  }

  get size(): number {
    return this.#outlets.length;
  }

  at(index: number): Outlet {
    const outlet = this.#outlets[index];
    if (outlet === undefined) throw new RangeError(`No outlet ${index} of ${this.size}`);
    return outlet;
  }

  blocked(index: number): boolean {
    return this.at(index).blocked;
  }

  burst(index: number, texts: readonly string[], first: number): void {
    this.at(index).burst(texts, first);
  }

  turnRound(): void {
    this.#outlets.reverse();
  }
}
