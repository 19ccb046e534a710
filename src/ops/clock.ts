/** The time as the protocol writes it, ISO 8601 UTC, formatted at most once a millisecond. */
export class Clock {
  #ms = Number.NaN;
  #iso = "";

  iso(): string {
    const now = Date.now();
    if (now !== this.#ms) {
      this.#ms = now;
      this.#iso = new Date(now).toISOString();
    }
    return this.#iso;
  }
}
