import type { TopicDetail } from "./read.ts";

/** How many samples a chart shows. */
const MOST = 180;

/** What ticks of an axis may be apart, so that none is rounded when it is written. */
export const INCREMENTS = [
  0.2,
  0.5,
  ...Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat(),
];

/** A point of a chart: when, in seconds, and a value for each line; undefined where it is not known. */
export type Point = { at: number; values: readonly (number | undefined)[] };

/** The points with one more, the oldest dropped. */
export function appended(points: readonly Point[], point: Point): readonly Point[] {
  return [...points.slice(1 - MOST), point];
}

/** The times, and the values of each line. Only null breaks a line: what is not known is no slope. */
export function columnsOf(points: readonly Point[], lines: number): [number[], ...(number | null)[][]] {
  const values = Array.from({ length: lines }, (_, line) => points.map((point) => point.values[line] ?? null));
  return [points.map(({ at }) => at), ...values];
}

/** How fast a counter grows a second; undefined if it was set back: by how much it grew since nobody knows. */
export function growth(before: number, after: number, ms: number): number | undefined {
  if (ms <= 0) return 0;
  return after < before ? undefined : ((after - before) * 1000) / ms;
}

/** What was published and delivered a second from one sample of a topic to the next, for a point. */
export function topicRates(before: TopicDetail | undefined, after: TopicDetail, ms: number): Point["values"] {
  if (before === undefined || ms === 0 || before.epoch !== after.epoch) return [undefined, undefined];
  // Sums over nodes can be compared only if all nodes have answered, both times.
  const isWhole = before.unanswered === 0 && after.unanswered === 0;
  const delivered = isWhole ? growth(before.ledger.delivered, after.ledger.delivered, ms) : undefined;
  return [growth(before.seq, after.seq, ms), delivered];
}
