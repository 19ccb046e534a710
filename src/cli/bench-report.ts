import { bar } from "./progress.ts";
import type { Style } from "./style.ts";

type Latency = Record<"p50" | "p90" | "p99" | "p999" | "max", number | undefined>;

/** What a run came to. Shares are of one core. */
export type BenchResult = {
  load: Record<"publishers" | "subscribers" | "topics" | "size" | "rate" | "in_flight", number>;
  seconds: number;
  published: number;
  delivered: number;
  /** Told as lost. */
  lost: number;
  /** Neither come nor told as lost. */
  missing: number;
  published_per_second: number;
  delivered_per_second: number;
  latency_ms: Latency | undefined;
  histogram: readonly { up_to_ms: number; count: number }[];
  server: { cpu_share: number; cpu_seconds: number; memory_bytes: number } | undefined;
  own_cpu_share: number;
  /** Whether the load was at its own limit, so that the server can do more. */
  load_is_limit: boolean;
};

/** From this share of a core on, the process that makes the load is at its limit. */
export const AT_LIMIT = 0.9;

/** A run in words and bars. */
export function benchReport(result: BenchResult, style: Style): string {
  const { load, latency_ms: latency, lost } = result;
  const speed = load.rate === 0 ? "as fast as acks allow" : `${load.rate} a second`;
  const many = (count: number, what: string) => `${whole(count)} ${what}${count === 1 ? "" : "s"}`;
  const lines = [
    style(
      "dim",
      `${many(load.publishers, "publisher")}, ${many(load.subscribers, "subscriber")}, ${many(load.topics, "topic")}, ` +
        `${whole(load.size)} bytes, ${speed}, ${result.seconds.toFixed(1)} s`,
    ),
    "",
    `published  ${style("bold", `${whole(result.published_per_second)}/s`)}`,
    `delivered  ${style("bold", `${whole(result.delivered_per_second)}/s`)}`,
    `lost       ${lost === 0 ? "0" : style("yellow", whole(lost))}`,
  ];
  if (latency !== undefined) {
    const parts = Object.entries(latency).map(([name, ms]) => `${name.replace("999", "99.9")} ${msText(ms)}`);
    lines.push(`latency    ${parts.join("  ")} ms`, "", ...histogramLines(result), "");
  }
  lines.push(serverLine(result), `this load  CPU ${percent(result.own_cpu_share)} of a core`);
  if (result.missing > 0)
    lines.push(style("red", `${whole(result.missing)} events neither came nor were told as lost.`));
  if (result.load_is_limit) {
    lines.push(style("yellow", "The load itself is at its limit: the server can do more. Start several at a time."));
  }
  return lines.join("\n");
}

function serverLine({ server, delivered }: BenchResult): string {
  if (server === undefined) return "server     does not say what it takes";
  const each = delivered === 0 ? "" : `, ${((server.cpu_seconds / delivered) * 1e6).toFixed(1)} µs a delivery`;
  const memory = whole(server.memory_bytes / 1024 / 1024);
  return `server     CPU ${percent(server.cpu_share)} of a core${each}; memory ${memory} MiB`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function histogramLines({ histogram, delivered }: BenchResult): string[] {
  return histogram.map(
    ({ up_to_ms, count }) => `${`≤ ${msText(up_to_ms)} ms`.padStart(14)}  ${bar(count / delivered)}`,
  );
}

function msText(ms: number | undefined): string {
  if (ms === undefined) return "-";
  return ms < 10 ? ms.toFixed(2) : ms.toFixed(0);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
