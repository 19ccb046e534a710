import type { Sample } from "./exposition.ts";
import { Histogram } from "./histogram.ts";

/** In seconds. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const;

/** Any other is counted as `other`: a client may make up as many as it likes. */
const METHODS = ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"];

/** How long HTTP requests took, by method, route and status. */
export class HttpDurations {
  readonly #series = new Map<string, { labels: Readonly<Record<string, string>>; durations: Histogram }>();

  /** @param route the pattern of the path, such as `/topics/:name`, never the path itself */
  observe(method: string, route: string, status: number, seconds: number): void {
    const known = METHODS.includes(method) ? method : "other";
    const key = `${known} ${route} ${status}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const labels = { method: known, route, status: String(status) };
      series = { labels, durations: new Histogram(BOUNDS) };
      this.#series.set(key, series);
    }
    series.durations.observe(seconds);
  }

  samples(): Sample[] {
    return [...this.#series.values()].flatMap(({ labels, durations }) => durations.samples(labels));
  }
}
