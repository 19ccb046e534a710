/** The time as the protocol writes it, ISO 8601 UTC, formatted at most once a millisecond. */
export class Clock {
  #ms = Number.NaN;
  #iso = "";

  iso(): string {
    return this.isoOf(Date.now());
  }

  /** @param ms milliseconds since 1970 UTC */
  isoOf(ms: number): string {
    if (ms !== this.#ms) {
      this.#ms = ms;
      this.#iso = new Date(ms).toISOString();
    }
    return this.#iso;
  }
}
