import { ApiError } from "./api.ts";
import { Observable } from "./observable.ts";
import { poll } from "./poll.ts";
import type { TopicDetail } from "./read.ts";
import { appended, growth, type Point } from "./series.ts";
import type { Session } from "./session.ts";

/** How many subscribers are asked for with each sample. */
export const PAGE = 100;

export type TopicState =
  | { is: "loading" | "missing" | "forbidden" }
  | { is: "there"; detail: TopicDetail; rate: number | undefined; points: readonly Point[] };

/** One topic in detail, sampled for as long as it is shown. */
export class TopicWatch {
  readonly state = new Observable<TopicState>({ is: "loading" });
  /** The last subscriber of the page before the one that is shown. */
  readonly after = new Observable<string | undefined>(undefined);
  readonly #session: Session;
  readonly #name: string;
  #sampledAt: number | undefined;
  #points: readonly Point[] = [];
  #stop: () => void = () => {};

  constructor(session: Session, name: string) {
    this.#session = session;
    this.#name = name;
  }

  start(): void {
    this.#stop = poll((signal) => this.#sample(signal));
  }

  stop(): void {
    this.#stop();
  }

  /** Shows another page of subscribers. */
  turn(after: string | undefined): void {
    this.after.set(after);
    this.#stop();
    this.start();
  }

  async #sample(signal: AbortSignal): Promise<number> {
    try {
      const detail = await this.#session.api.detail(this.#name, PAGE, this.after.value, signal);
      if (!signal.aborted) this.#take(detail);
    } catch (cause) {
      if (signal.aborted) return 0;
      const code = cause instanceof ApiError ? cause.code : undefined;
      this.#sampledAt = undefined;
      if (code === "TOPIC_NOT_FOUND") this.state.set({ is: "missing" });
      else if (code === "FORBIDDEN") {
        this.state.set({ is: "forbidden" });
        this.#stop();
      } else this.#session.failed(cause);
    }
    return 1000;
  }

  #take(detail: TopicDetail): void {
    const now = performance.now();
    const before = this.state.value.is === "there" ? this.state.value.detail : undefined;
    const ms = this.#sampledAt === undefined || before?.epoch !== detail.epoch ? 0 : now - this.#sampledAt;
    this.#sampledAt = now;
    const rate = before === undefined || ms === 0 ? undefined : growth(before.seq, detail.seq, ms);
    const delivered = [before?.ledger?.delivered, detail.ledger?.delivered];
    const [first, last] = delivered;
    const deliveredRate = first === undefined || last === undefined || ms === 0 ? undefined : growth(first, last, ms);
    this.#points = appended(this.#points, { at: Date.now() / 1000, values: [rate, deliveredRate] });
    this.state.set({ is: "there", detail, rate, points: this.#points });
  }
}
