/** The longest time of a timer: HTML §8.6 has it as a 32-bit integer. */
const LONGEST_MS = 2 ** 31 - 1;

/** Timers by name. Each name has one at a time. */
export class Timers<Name extends string> {
  readonly #timers = new Map<Name, ReturnType<typeof setTimeout>>();

  /** Runs `work` after a time, in place of what the name stood for before. A time that is too long is cut. */
  set(name: Name, ms: number, work: () => void): void {
    this.clear(name);
    const run = () => {
      this.#timers.delete(name);
      work();
    };
    this.#timers.set(name, setTimeout(run, Math.min(Math.max(0, ms), LONGEST_MS)));
  }

  clear(name: Name): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  clearAll(): void {
    for (const name of [...this.#timers.keys()]) this.clear(name);
  }
}
