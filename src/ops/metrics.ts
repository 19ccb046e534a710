import type { BrokerMetrics } from "../broker/ports.ts";
import { CLOSE, ERRORS, LIMITS, type Close, type ErrorCode, type Limit } from "../protocol/codes.ts";

type Sample = { labels?: Record<string, string>; value: number };

/** One metric. `read` returns its current value. */
export type Metric = { name: string; type: "counter" | "gauge"; help: string; read: () => number | readonly Sample[] };

/** Counts what has happened since the start. */
export class Metrics implements BrokerMetrics {
  #published = 0;
  #delivered = 0;
  #dropped = 0;
  #trimmed = 0;
  readonly #errors = new Map<string, number>(Object.keys(ERRORS).map((code) => [code, 0]));
  readonly #limited = new Map<Limit, number>(LIMITS.map((limit) => [limit, 0]));
  readonly #closed = new Map<Close, number>(Object.values(CLOSE).map((close) => [close, 0]));

  published(messages: number): void {
    this.#published += messages;
  }

  delivered(events: number): void {
    this.#delivered += events;
  }

  dropped(events: number): void {
    this.#dropped += events;
  }

  /** History lost events to stay below its bound. */
  trimmed(events: number): void {
    this.#trimmed += events;
  }

  /** A request was answered with an error. @param limit the setting that it exceeds */
  refused(code: ErrorCode, limit?: Limit): void {
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
    if (limit !== undefined) this.#limited.set(limit, (this.#limited.get(limit) ?? 0) + 1);
  }

  /** The server closed a connection. */
  closed(close: Close): void {
    this.#closed.set(close, (this.#closed.get(close) ?? 0) + 1);
  }

  /** The totals since the start, for the log. */
  get totals(): { published: number; delivered: number; dropped: number } {
    return { published: this.#published, delivered: this.#delivered, dropped: this.#dropped };
  }

  /** Every count as a metric. */
  get counters(): Metric[] {
    const counter = (name: string, help: string, read: Metric["read"]): Metric => {
      return { name: `pubsub_${name}_total`, type: "counter", help, read };
    };
    return [
      counter("messages_published", "Messages published.", () => this.#published),
      counter("events_delivered", "Events handed to a subscriber's connection.", () => this.#delivered),
      counter("events_dropped", "Events that a subscriber was too slow for.", () => this.#dropped),
      counter("history_trimmed", "Messages that history lost to HISTORY_MEMORY_BYTES.", () => this.#trimmed),
      counter("errors", "Requests answered with an error, by its code.", () =>
        [...this.#errors].map(([code, value]) => ({ labels: { code }, value })),
      ),
      counter("limit_refusals", "Requests and connections that exceeded a limit, by its setting.", () =>
        [...this.#limited].map(([limit, value]) => ({ labels: { limit }, value })),
      ),
      counter("connections_closed", "Connections that the server closed, by the code and reason given.", () =>
        [...this.#closed].map(([{ code, reason }, value]) => ({ labels: { code: String(code), reason }, value })),
      ),
    ];
  }
}

/** Metrics of the process itself, under the names that Prometheus' own clients use. */
export function processMetrics(): Metric[] {
  return [
    {
      name: "process_start_time_seconds",
      type: "gauge",
      help: "When the process started, in seconds since 1970 UTC.",
      read: () => performance.timeOrigin / 1000,
    },
    {
      name: "process_resident_memory_bytes",
      type: "gauge",
      help: "Resident memory.",
      read: () => process.memoryUsage.rss(),
    },
    {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: "Processor time, user and system together.",
      read: () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    },
  ];
}

/** Metrics in the Prometheus text format, version 0.0.4. */
export function exposition(metrics: readonly Metric[]): string {
  return metrics.map(expose).join("");
}

function expose({ name, type, help, read }: Metric): string {
  const value = read();
  const samples: readonly Sample[] = typeof value === "number" ? [{ value }] : value;
  const lines = samples.map(({ labels, value: count }) => `${name}${labelText(labels)} ${count}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Record<string, string> | undefined): string {
  if (labels === undefined) return "";
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `{${pairs.join(",")}}`;
}
