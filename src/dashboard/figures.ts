import type { Ledger } from "./read.ts";

/** What `GET /metrics` says of the server as a whole. */
export type Figures = {
  published: number;
  delivered: number;
  connections: readonly (readonly [transport: string, count: number])[];
  subscriptions: number;
  lagging: number;
  historyBytes: number;
  historyLimit: number;
  /** In seconds since 1970. */
  startedAt: number;
  ledger: Ledger;
};

type Sample = { labels: string; value: number };

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;

/** Reads the text format of Prometheus. */
export function readFigures(text: string): Figures {
  const samples = new Map<string, Sample[]>();
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (name === undefined) continue;
    const sample = { labels, value: Number(value) };
    const known = samples.get(name);
    if (known === undefined) samples.set(name, [sample]);
    else known.push(sample);
  }
  const all = (name: string): Sample[] => {
    const found = samples.get(name);
    if (found === undefined) throw new TypeError(`The server's metrics have no ${name}`);
    return found;
  };
  const own = (name: string) => all(`pubsub_${name}`);
  const sum = (name: string) => own(name).reduce((total, { value }) => total + value, 0);
  const limit = own("configured_limit").find(({ labels }) => labelOf(labels, "setting") === "HISTORY_MEMORY_BYTES");
  const delivered = sum("events_delivered_total");
  return {
    published: sum("messages_published_total"),
    delivered,
    connections: own("connections").map(({ labels, value }) => [labelOf(labels, "transport"), value]),
    subscriptions: sum("subscriptions"),
    lagging: sum("subscriptions_lagging"),
    historyBytes: sum("history_bytes"),
    historyLimit: limit?.value ?? 0,
    startedAt: all("process_start_time_seconds")[0]?.value ?? 0,
    ledger: {
      due: sum("events_due_total"),
      delivered,
      dropped: [
        ...own("events_dropped_total").map(({ labels, value }) => [labelOf(labels, "reason"), value] as const),
        ["not_reported_yet", sum("events_dropped_unreported")] as const,
      ].filter(([, count]) => count !== 0),
      queued: sum("events_queued"),
      unflushed: sum("events_unflushed"),
    },
  };
}

function labelOf(labels: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
}
