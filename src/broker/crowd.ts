import type { Crowd, Outlet } from "./ports.ts";

/** Outlets of whatever kind. */
export class Several implements Crowd {
  readonly #outlets: Outlet[];

  /** @param outlets theirs from now on: their order changes */
  constructor(outlets: Outlet[]) {
    this.#outlets = outlets;
  }

  burst(texts: readonly string[], first: number, passOver: (outlet: Outlet) => void): number {
    const outlets = this.#outlets.reverse();
    let takers = 0;
    let done = 0;
    try {
      for (const outlet of outlets) {
        if (outlet.blocked) passOver(outlet);
        else {
          outlet.burst(texts, first);
          takers++;
        }
        done++;
      }
    } finally {
      for (const outlet of outlets.slice(done)) passOver(outlet);
    }
    return takers;
  }
}
