import { ApiError } from "./api.ts";
import type { Figures } from "./figures.ts";
import { compareNames } from "./names.tsx";
import { Observable } from "./observable.ts";
import { poll } from "./poll.ts";
import type { Nodes, TopicCounts } from "./read.ts";
import { appended, growth, type Point } from "./series.ts";
import type { Session } from "./session.ts";

/** How many rates the small chart of a topic shows. */
const TREND = 30;

/** From how many topics on they are asked for less often, as the answer is large. */
const PACES = [
  { topics: 20_000, ms: 5000 },
  { topics: 2000, ms: 2000 },
  { topics: 0, ms: 1000 },
];

export type Topic = TopicCounts & {
  /** Messages published a second; undefined before the second sample, or if the credential may not see it. */
  rate: number | undefined;
  trend: readonly number[];
};

export type Overview = {
  /** In the order of their names. */
  topics: ReadonlyMap<string, Topic>;
  /** Whether the credential may see counts, and create and delete. */
  isAdmin: boolean;
  intervalMs: number;
  /** Of the node that answers. */
  figures: Figures | undefined;
  nodes: Nodes | undefined;
  /** Published and delivered a second, all topics of that node together. */
  points: readonly Point[];
  /** The server does not answer: this is what it said last, without rates. */
  isStale: boolean;
};

/** All topics with their rates, sampled for as long as the page is visible. */
export class OverviewWatch {
  /** Undefined before the first answer. */
  readonly overview = new Observable<Overview | undefined>(undefined);
  readonly #session: Session;
  #isAdmin = true;
  #sampledAt: number | undefined;
  #stop: () => void = () => {};

  constructor(session: Session) {
    this.#session = session;
  }

  /** Begins anew, with the credential that there is now. */
  start(): void {
    this.#stop();
    this.#isAdmin = true;
    this.#sampledAt = undefined;
    this.overview.set(undefined);
    this.#stop = poll((signal) => this.#sample(signal));
  }

  stop(): void {
    this.#stop();
  }

  /** Samples at once: something was created or deleted here. */
  refresh(): void {
    this.#stop();
    this.#stop = poll((signal) => this.#sample(signal));
  }

  async #sample(signal: AbortSignal): Promise<number> {
    try {
      const { api } = this.#session;
      const [topics, figures, nodes] = this.#isAdmin
        ? await Promise.all([api.stats(signal), api.figures(signal), api.nodes(signal)])
        : [await api.topics(signal)];
      if (signal.aborted) return 0;
      this.#take(topics, figures, nodes);
      this.#session.answered();
      return this.overview.value?.intervalMs ?? 0;
    } catch (cause) {
      if (signal.aborted) return 0;
      if (cause instanceof ApiError && cause.code === "FORBIDDEN" && this.#isAdmin) {
        this.#isAdmin = false;
        return 0;
      }
      this.#sampledAt = undefined;
      this.#session.failed(cause);
      this.#age();
      if (this.#session.status.value === "unauthorized") this.#stop();
      return 1000;
    }
  }

  #take(counts: readonly TopicCounts[], figures: Figures | undefined, nodes: Nodes | undefined): void {
    const now = performance.now();
    const ms = this.#sampledAt === undefined ? 0 : now - this.#sampledAt;
    this.#sampledAt = now;
    const before = this.overview.value;
    const topics = new Map<string, Topic>();
    for (const topic of inOrder(counts, before?.topics))
      topics.set(topic.name, withRate(topic, before?.topics.get(topic.name), ms));
    const intervalMs = PACES.find((pace) => counts.length >= pace.topics)?.ms ?? 1000;
    const points = pointsAfter(before, figures, ms);
    this.overview.set({ topics, isAdmin: this.#isAdmin, intervalMs, figures, nodes, points, isStale: false });
  }

  /** No answer: no rate is known, and the lines of charts break. */
  #age(): void {
    const before = this.overview.value;
    if (before === undefined) return;
    const topics = before.isStale
      ? before.topics
      : new Map([...before.topics].map(([name, topic]) => [name, { ...topic, rate: undefined }]));
    const points = before.figures === undefined ? before.points : appended(before.points, unknownNow());
    this.overview.set({ ...before, topics, points, isStale: true });
  }
}

function unknownNow(): Point {
  return { at: Date.now() / 1000, values: [undefined, undefined] };
}

/** Sorting thousands of names takes long: it is done only if there are others than before. */
function inOrder(counts: readonly TopicCounts[], before: ReadonlyMap<string, Topic> = new Map()): TopicCounts[] {
  const byName = new Map(counts.map((topic) => [topic.name, topic]));
  const same = [...before.keys()].flatMap((name) => byName.get(name) ?? []);
  if (same.length === counts.length) return same;
  return [...counts].sort((a, b) => compareNames(a.name, b.name));
}

function withRate(topic: TopicCounts, before: Topic | undefined, ms: number): Topic {
  if (topic.messages === undefined || before?.messages === undefined || ms === 0) {
    return { ...topic, rate: undefined, trend: before?.trend ?? [] };
  }
  const rate = growth(before.messages, topic.messages, ms);
  if (rate === undefined) return { ...topic, rate, trend: before.trend };
  // Most of many topics are quiet, and share one empty trend.
  const isQuiet = rate === 0 && before.trend.every((value) => value === 0);
  return { ...topic, rate, trend: isQuiet ? [] : [...before.trend.slice(1 - TREND), rate] };
}

function pointsAfter(before: Overview | undefined, figures: Figures | undefined, ms: number): readonly Point[] {
  const points = before?.points ?? [];
  if (figures === undefined) return points;
  const last = before?.figures;
  // Behind one address there may be several nodes, each with counters of its own.
  if (last === undefined || ms === 0 || last.startedAt !== figures.startedAt) return appended(points, unknownNow());
  const values = [growth(last.published, figures.published, ms), growth(last.delivered, figures.delivered, ms)];
  return appended(points, { at: Date.now() / 1000, values });
}
