import { readdirSync, statSync } from "node:fs";
import { version } from "../../package.json";
import { gauge, type Metric } from "./exposition.ts";

/** Metrics of the process itself, under the names that Prometheus' own clients use. @param maxFiles if it is known */
export function processMetrics(maxFiles: number | undefined): Metric[] {
  const named = (name: string, help: string, read: () => number): Metric => {
    return { name: `process_${name}`, type: name.endsWith("_total") ? "counter" : "gauge", help, read };
  };
  const files = openFiles();
  return [
    named(
      "start_time_seconds",
      "When the process started, in seconds since 1970 UTC.",
      () => performance.timeOrigin / 1000,
    ),
    named("resident_memory_bytes", "Resident memory.", () => process.memoryUsage.rss()),
    named("heap_bytes", "Memory of JavaScript objects.", () => process.memoryUsage().heapUsed),
    named("cpu_seconds_total", "Processor time, user and system together.", () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }),
    ...(files === undefined ? [] : [named("open_fds", "Open file descriptors.", files)]),
    ...(maxFiles === undefined ? [] : [named("max_fds", "File descriptors that may be open.", () => maxFiles)]),
    gauge("build_info", "The version of the server and of the runtime in it; always 1.", () => [
      { labels: { version, bun: Bun.version }, value: 1 },
    ]),
  ];
}

/** Counts open files; undefined where the system does not tell. */
function openFiles(): (() => number) | undefined {
  const folder = "/proc/self/fd";
  try {
    // Since Linux 6.2 the size of this folder is the number of its entries. Before, it is 0, and they must be listed.
    if (statSync(folder).size > 0) return () => statSync(folder).size;
    readdirSync(folder);
    return () => readdirSync(folder).length;
  } catch {
    return undefined;
  }
}
