import type { Position } from "../client/index.ts";
import { ApiError } from "./api.ts";
import { Observable } from "./observable.ts";
import { poll } from "./poll.ts";
import type { TopicDetail } from "./read.ts";
import { appended, topicRates, type Point } from "./series.ts";
import type { Session } from "./session.ts";

/** How many subscribers are asked for with each sample. */
export const PAGE = 100;

export type TopicState =
  /** Whether it is there is not known yet, or not to be known by this credential. */
  | { is: "loading" | "forbidden" }
  /** `goneAt` is when it was deleted, or last seen; undefined if this page has never seen it. */
  | { is: "missing"; goneAt: number | undefined; isDeleted: boolean }
  /** The credential may read its messages, and not see its figures. */
  | { is: "readable"; position: Position }
  | ({ is: "there" } & TopicFigures);

export type TopicFigures = {
  detail: TopicDetail;
  rate: number | undefined;
  points: readonly Point[];
  /** The server does not answer: this is what it said last. */
  isStale: boolean;
};

/** One topic in detail, sampled for as long as it is shown. */
export class TopicWatch {
  readonly state = new Observable<TopicState>({ is: "loading" });
  /** The last subscriber of the page before the one that is shown. */
  readonly after = new Observable<string | undefined>(undefined);
  readonly #session: Session;
  readonly #name: string;
  #maySeeFigures = true;
  #seenAt: number | undefined;
  #deletedAt: number | undefined;
  #sampledAt: number | undefined;
  #points: readonly Point[] = [];
  #isResting = false;
  #underWay: Promise<number> | undefined;
  #stop: () => void = () => {};

  constructor(session: Session, name: string) {
    this.#session = session;
    this.#name = name;
  }

  /** @param maySeeFigures whether the credential is an admin's, as far as that is known */
  start(maySeeFigures: boolean): void {
    this.#maySeeFigures = maySeeFigures;
    this.#again();
  }

  stop(): void {
    this.#stop();
  }

  /** Asks nothing more while the topic is deleted here, once what was asked is answered. */
  async rest(): Promise<void> {
    this.#isResting = true;
    await this.#underWay;
    this.#stop();
  }

  /** It was not deleted. */
  wake(): void {
    this.#isResting = false;
    this.#again();
  }

  /** Shows another page of subscribers. */
  turn(after: string | undefined): void {
    this.after.set(after);
    this.#again();
  }

  /** The server has told that it was deleted. It may be there again already. */
  deleted(): void {
    this.#deletedAt = Date.now();
    this.#again();
  }

  #again(): void {
    this.#stop();
    if (this.#isResting) return;
    this.#stop = poll((signal) => (this.#underWay = this.#sample(signal)));
  }

  async #sample(signal: AbortSignal): Promise<number> {
    const { api } = this.#session;
    try {
      if (this.#maySeeFigures) {
        const detail = await api.detail(this.#name, PAGE, this.after.value, signal);
        if (!signal.aborted) this.#take(detail);
      } else {
        const position = await api.position(this.#name, signal);
        if (!signal.aborted) this.#seen({ is: "readable", position });
      }
    } catch (cause) {
      if (!signal.aborted) return this.#failed(cause);
    }
    return 1000;
  }

  /** @returns how long to wait until it is tried again */
  #failed(cause: unknown): number {
    const code = cause instanceof ApiError ? cause.code : undefined;
    if (code === "FORBIDDEN" && this.#maySeeFigures) {
      this.#maySeeFigures = false;
      return 0;
    }
    this.#sampledAt = undefined;
    this.#points = appended(this.#points, { at: Date.now() / 1000, values: [undefined, undefined] });
    const before = this.state.value;
    if (code === "FORBIDDEN") {
      this.state.set({ is: "forbidden" });
      this.#stop();
    } else if (code === "TOPIC_NOT_FOUND") {
      const goneAt = this.#deletedAt ?? this.#seenAt;
      const isDeleted = this.#deletedAt !== undefined;
      if (before.is !== "missing" || before.isDeleted !== isDeleted)
        this.state.set({ is: "missing", goneAt, isDeleted });
    } else {
      this.#session.failed(cause);
      if (before.is === "there") this.state.set({ ...before, rate: undefined, points: this.#points, isStale: true });
    }
    return 1000;
  }

  #take(detail: TopicDetail): void {
    const now = performance.now();
    const before = this.state.value.is === "there" ? this.state.value.detail : undefined;
    const ms = this.#sampledAt === undefined ? 0 : now - this.#sampledAt;
    this.#sampledAt = now;
    const values = topicRates(before, detail, ms);
    const [rate] = values;
    this.#points = appended(this.#points, { at: Date.now() / 1000, values });
    this.#seen({ is: "there", detail, rate, points: this.#points, isStale: false });
  }

  #seen(state: TopicState): void {
    this.#seenAt = Date.now();
    this.#deletedAt = undefined;
    this.state.set(state);
  }
}

/** Where a topic stands that has just been seen. */
export function positionOf(state: TopicState): Position | undefined {
  if (state.is === "readable") return state.position;
  if (state.is !== "there" || state.isStale) return undefined;
  return { epoch: state.detail.epoch, seq: state.detail.seq };
}
