/** One value of a metric. `suffix` is added to the metric's name, as `_bucket` of a histogram. */
export type Sample = { labels?: Readonly<Record<string, string>>; value: number; suffix?: string };

/** One metric. `read` returns its current value. */
export type Metric = {
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  read: () => number | readonly Sample[];
};

/** A gauge or a counter of ours. A counter's name gets the ending that it must have. */
export function gauge(name: string, help: string, read: Metric["read"]): Metric {
  return { name: `pubsub_${name}`, type: "gauge", help, read };
}

export function counter(name: string, help: string, read: Metric["read"]): Metric {
  return { name: `pubsub_${name}_total`, type: "counter", help, read };
}

export function histogram(name: string, help: string, read: () => readonly Sample[]): Metric {
  return { name: `pubsub_${name}`, type: "histogram", help, read };
}

/** One sample for each entry, with its key as the label. */
export function byLabel(label: string, entries: Iterable<readonly [string, number]>): Sample[] {
  return [...entries].map(([key, value]) => ({ labels: { [label]: key }, value }));
}

/** Metrics in the Prometheus text format, version 0.0.4. */
export function exposition(metrics: readonly Metric[]): string {
  return metrics.map(expose).join("");
}

function expose({ name, type, help, read }: Metric): string {
  const value = read();
  const samples: readonly Sample[] = typeof value === "number" ? [{ value }] : value;
  const lines = samples.map(
    ({ labels, value: count, suffix = "" }) => `${name}${suffix}${labelText(labels)} ${count}\n`,
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Sample["labels"] = {}): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
