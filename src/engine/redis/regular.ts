export type RegularPorts = {
  after(ms: number, work: () => void): () => void;
  /** Work is left out while Redis is away. */
  isAway(): boolean;
  failed(cause: unknown): void;
};

/** Does work again and again, a little irregularly, so that nodes do not do it all at once. */
export class Regular {
  readonly #ports: RegularPorts;
  readonly #timers = new Set<() => void>();
  #stopped = false;

  constructor(ports: RegularPorts) {
    this.#ports = ports;
  }

  /** @param ms how long to wait between one time and the next, on average */
  start(ms: number, work: () => Promise<void>): void {
    if (this.#stopped) return;
    const stop = this.#ports.after(ms * (0.75 + Math.random() / 2), () => {
      this.#timers.delete(stop);
      const done = this.#ports.isAway() ? Promise.resolve() : work();
      done.catch((cause: unknown) => this.#ports.failed(cause)).finally(() => this.start(ms, work));
    });
    this.#timers.add(stop);
  }

  stop(): void {
    this.#stopped = true;
    for (const stop of this.#timers) stop();
  }
}
