import { Latencies } from "../support/latencies.ts";
import { Wire } from "../stress/wire.ts";

/** How often it pings a second. */
const RATE = 500;
/** How long the last answers are waited for. */
const PATIENCE_MS = 5000;

/** In milliseconds: how long each round trip took from when its ping was due, and how much later than due it was sent. */
export type Pings = { roundTrips: Latencies; lateness: Latencies };

/** A WebSocket that sends a ping when it is due, whatever became of those before, and notes when the pong comes. */
export class Pinger {
  readonly #wire: Wire;
  readonly #opened = Promise.withResolvers<void>();
  #roundTrips = new Latencies();
  #due: number[] = [];
  #answered = 0;
  #over = false;

  constructor(port: number) {
    this.#wire = Wire.webSocket(port, {
      opened: () => this.#opened.resolve(),
      frame: (frame) => {
        if (frame.type !== "pong") return;
        const due = this.#due[Number(frame.request_id)];
        if (due === undefined) throw new Error(`A pong that nobody asked for: ${JSON.stringify(frame)}`);
        this.#answered++;
        this.#roundTrips.add(performance.now() - due);
      },
      over: () => void (this.#over = true),
      failed: (cause) => this.#opened.reject(cause),
    });
  }

  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Pings for a while. */
  async run(seconds: number): Promise<Pings> {
    this.#roundTrips = new Latencies();
    const lateness = new Latencies();
    this.#due = [];
    this.#answered = 0;
    const begun = performance.now();
    const count = Math.floor(seconds * RATE);
    while (this.#due.length < count && !this.#over) {
      const next = begun + (this.#due.length * 1000) / RATE;
      const now = performance.now();
      if (next > now) {
        await Bun.sleep(next - now);
      } else {
        lateness.add(now - next);
        this.#wire.send({ type: "ping", request_id: this.#due.push(next) - 1 });
      }
    }
    const patience = performance.now() + PATIENCE_MS;
    while (this.#answered < count && !this.#over && performance.now() < patience) await Bun.sleep(1);
    if (this.#answered < count) throw new Error(`Only ${this.#answered} of ${count} pings were answered`);
    return { roundTrips: this.#roundTrips, lateness };
  }

  cut(): void {
    this.#wire.cut();
  }
}
