import { Histogram } from "./histogram.ts";
import { Pace } from "./pace.ts";
import type { RawClient } from "./server.ts";

export type LoadOptions = {
  topics: readonly string[];
  publishers: readonly RawClient[];
  subscribers: readonly RawClient[];
  /** Of a payload, in bytes. */
  size: number;
  /** Messages a second, of all publishers together; 0 is as fast as acks allow. */
  rate: number;
  /** How many publishes of one publisher may wait for their acks. */
  inFlight: number;
};

/** Publishers and subscribers of a run, and what they count. */
export class Load {
  readonly latencies = new Histogram();
  /** While it measures: messages that were acked, and events that came. */
  published = 0;
  delivered = 0;
  /** From the beginning: events that subscribers were told they lost, those that they are owed, and what came or was told as lost. */
  lost = 0;
  #owed = 0;
  #came = 0;
  #isMeasured = false;
  readonly #options: LoadOptions;
  readonly #stop = new AbortController();
  readonly #filler: string;
  #loops: Promise<void[]> | undefined;
  #problem: unknown;

  constructor(options: LoadOptions) {
    this.#options = options;
    const least = payloadOf("").length;
    this.#filler = "x".repeat(Math.max(0, options.size - least));
  }

  /** How many events have neither come nor been told as lost. */
  get missing(): number {
    return this.#owed - this.#came;
  }

  /** What ended the load, if it was not asked to end. */
  get problem(): unknown {
    return this.#problem;
  }

  /** Subscribes. Resolves once the server has accepted all. */
  async subscribe(): Promise<void> {
    const { subscribers, topics } = this.#options;
    await Promise.all(subscribers.map((client, index) => this.#subscribeOne(client, at(topics, index))));
  }

  /** Begins to publish. */
  start(): void {
    const { publishers, topics } = this.#options;
    this.#loops = Promise.all(publishers.map((client, index) => this.#publishFrom(client, at(topics, index))));
  }

  /** From now on it counts, or no more. */
  measure(isMeasured: boolean): void {
    this.#isMeasured = isMeasured;
  }

  /** Publishes no more. Resolves once all is acked. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loops;
  }

  #subscribeOne(client: RawClient, topic: string): Promise<void> {
    return new Promise((resolve, reject) => {
      client.subscribe(topic, {
        onEvent: ({ payload }) => {
          this.#came++;
          if (!this.#isMeasured) return;
          this.delivered++;
          this.latencies.add(performance.now() - sentAt(payload));
        },
        onGap: ({ first_seq, last_seq = first_seq }) => {
          this.#came += last_seq - first_seq + 1;
          this.lost += last_seq - first_seq + 1;
        },
        onState: (state, cause) => {
          if (state === "live") resolve();
          // It does not wait for anything.
          if (state !== "ended" && cause === undefined) return;
          reject(cause);
          this.#fail(cause);
        },
      });
    });
  }

  async #publishFrom(client: RawClient, topic: string): Promise<void> {
    const { topics, publishers, subscribers, rate, inFlight } = this.#options;
    const readers = subscribers.filter((_, index) => at(topics, index) === topic).length;
    const pace = new Pace(rate / publishers.length);
    const { signal } = this.#stop;
    let underWay = 0;
    let wake: (() => void) | undefined;
    const change = () => new Promise<void>((resolve) => (wake = resolve));
    while (!signal.aborted) {
      await pace.turn(signal);
      while (underWay >= inFlight && !signal.aborted) await change();
      if (signal.aborted) break;
      underWay++;
      this.#owed += readers;
      void client
        .publish(topic, payloadOf(this.#filler))
        .then(
          () => void (this.#isMeasured && this.published++),
          (cause: unknown) => {
            this.#owed -= readers;
            this.#fail(cause);
          },
        )
        .finally(() => {
          underWay--;
          wake?.();
        });
    }
    while (underWay > 0) await change();
  }

  #fail(cause: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#problem = cause;
    this.#stop.abort();
  }
}

/** Each in turn. */
function at(topics: readonly string[], index: number): string {
  return topics[index % topics.length] ?? "";
}

const BEFORE_TIME = '{"t":';

/** A payload that says when it was sent, by the clock of this process. All of them are of one length. */
function payloadOf(filler: string): string {
  return `${BEFORE_TIME}${performance.now().toFixed(6).padStart(20)},"x":"${filler}"}`;
}

function sentAt(payload: string): number {
  return Number(payload.slice(BEFORE_TIME.length, payload.indexOf(",")));
}
