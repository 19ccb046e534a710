import type { HttpApi } from "./http-api.ts";

type Stats = Awaited<ReturnType<HttpApi["stats"]>>;
export type TopicDetail = Awaited<ReturnType<HttpApi["topic"]>>;

/** What one look at the server has found. */
export type Sample = {
  at: number;
  stats: Stats;
  details: ReadonlyMap<string, TopicDetail>;
  /** Samples of `/metrics`; empty if they cannot be had. */
  metrics: ReadonlyMap<string, number>;
  uptimeSec: number;
};

/** A topic in the table. What is not known is undefined. */
export type TopRow = {
  name: string;
  rate: number | undefined;
  messages: number;
  subscribers: number;
  backlog: number | undefined;
  drops: number | undefined;
};

/** Sums over all topics, a second or altogether. */
export type Totals = {
  topics: number;
  subscribers: number;
  rate: number | undefined;
  deliveries: number | undefined;
  drops: number | undefined;
  cpuShare: number | undefined;
  memoryBytes: number | undefined;
  uptimeSec: number;
};

export type SortKey = keyof TopRow;

/** What `top` knows: the last two looks at the server, and in which order and at which topic its user looks. */
export class TopModel {
  sort: SortKey = "rate";
  isReversed = false;
  /** The topic that is marked, by its name: it stays marked where rows change places. */
  selected: string | undefined;
  #before: Sample | undefined;
  #now: Sample | undefined;

  add(sample: Sample): void {
    this.#before = this.#now;
    this.#now = sample;
  }

  detail(name: string): TopicDetail | undefined {
    return this.#now?.details.get(name);
  }

  /** Sorts by a column; by the same again, the other way round. */
  sortBy(key: SortKey): void {
    this.isReversed = this.sort === key && !this.isReversed;
    this.sort = key;
  }

  /** Marks the row that is so far from the one that is marked. */
  move(by: number): void {
    const rows = this.rows();
    const index = this.selectedIndex(rows);
    this.selected = rows[Math.min(rows.length - 1, Math.max(0, index + by))]?.name;
  }

  /** Which row is marked; the first if none is, or the marked topic is gone. */
  selectedIndex(rows: readonly TopRow[]): number {
    const index = rows.findIndex(({ name }) => name === this.selected);
    return Math.max(0, index);
  }

  /** Topics in their order. Names go from A on, numbers from the largest. */
  rows(): TopRow[] {
    const { sort } = this;
    const rows = Object.entries(this.#now?.stats ?? {}).map(([name, one]): TopRow => {
      const detail = this.detail(name);
      const sum = (of: "queued" | "dropped") => detail?.subscribers.reduce((all, each) => all + each[of], 0);
      return { name, ...one, rate: this.#rateOf(name), backlog: sum("queued"), drops: sum("dropped") };
    });
    const byName = (a: TopRow, b: TopRow) => (a.name < b.name ? -1 : 1);
    const byNumber = (a: TopRow, b: TopRow) => {
      return sort === "name" ? 0 : (b[sort] ?? -1) - (a[sort] ?? -1);
    };
    rows.sort((a, b) => byNumber(a, b) || byName(a, b));
    return this.isReversed ? rows.reverse() : rows;
  }

  totals(): Totals {
    const all = Object.values(this.#now?.stats ?? {});
    const rates = Object.keys(this.#now?.stats ?? {}).map((name) => this.#rateOf(name));
    return {
      topics: all.length,
      subscribers: all.reduce((sum, { subscribers }) => sum + subscribers, 0),
      rate: this.#before === undefined ? undefined : rates.reduce<number>((sum, rate) => sum + (rate ?? 0), 0),
      deliveries: this.#perSecond("pubsub_events_delivered_total"),
      drops: this.#perSecond("pubsub_events_dropped_total"),
      cpuShare: this.#perSecond("process_cpu_seconds_total"),
      memoryBytes: this.#now?.metrics.get("process_resident_memory_bytes"),
      uptimeSec: this.#now?.uptimeSec ?? 0,
    };
  }

  /** Messages a second; undefined if the topic was not there before, or has begun anew. */
  #rateOf(name: string): number | undefined {
    const [before, now] = [this.#before, this.#now];
    if (before === undefined || now === undefined) return undefined;
    const from = before.stats[name]?.messages;
    const to = now.stats[name]?.messages;
    if (from === undefined || to === undefined || to < from) return undefined;
    return perSecond(to - from, before, now);
  }

  #perSecond(metric: string): number | undefined {
    const [before, now] = [this.#before, this.#now];
    const [from, to] = [before?.metrics.get(metric), now?.metrics.get(metric)];
    if (before === undefined || now === undefined || from === undefined || to === undefined || to < from) {
      return undefined;
    }
    return perSecond(to - from, before, now);
  }
}

function perSecond(count: number, before: Sample, now: Sample): number {
  return (count / Math.max(1, now.at - before.at)) * 1000;
}
