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

/** How fast a counter grows a second; from nothing, if it was set back. */
export function growth(before: number, after: number, ms: number): number {
  if (ms <= 0) return 0;
  return ((after < before ? after : after - before) * 1000) / ms;
}
