import type { Ledger } from "./read.ts";

/** What `GET /metrics` says of the server as a whole. What an older server does not tell is undefined. */
export type Figures = {
  published: number;
  delivered: number;
  connections: readonly (readonly [transport: string, count: number])[];
  subscriptions: number;
  lagging: number | undefined;
  historyBytes: number;
  historyLimit: number | undefined;
  startedAt: number | undefined;
  ledger: Ledger | undefined;
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
  const all = (name: string) => samples.get(`pubsub_${name}`) ?? [];
  const sum = (name: string) => all(name).reduce((total, { value }) => total + value, 0);
  const maybe = (name: string) => (all(name).length > 0 ? sum(name) : undefined);
  const limit = all("configured_limit").find(({ labels }) => labelOf(labels, "setting") === "HISTORY_MEMORY_BYTES");
  const delivered = sum("events_delivered_total");
  const due = maybe("events_due_total");
  return {
    published: sum("messages_published_total"),
    delivered,
    connections: all("connections").map(({ labels, value }) => [labelOf(labels, "transport") ?? "other", value]),
    subscriptions: sum("subscriptions"),
    lagging: maybe("subscriptions_lagging"),
    historyBytes: sum("history_bytes"),
    historyLimit: limit?.value,
    startedAt: samples.get("process_start_time_seconds")?.[0]?.value,
    ledger:
      due === undefined
        ? undefined
        : {
            due,
            delivered,
            dropped: [
              ...all("events_dropped_total").map(
                ({ labels, value }) => [labelOf(labels, "reason") ?? "other", value] as const,
              ),
              ["not_reported_yet", sum("events_dropped_unreported")] as const,
            ].filter(([, count]) => count !== 0),
            queued: sum("events_queued"),
            unflushed: sum("events_unflushed"),
          },
  };
}

function labelOf(labels: string, name: string): string | undefined {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1];
}
