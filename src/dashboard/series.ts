/** How many samples a chart shows. */
const MOST = 180;

/** A point of a chart: when, in seconds, and a value for each line; undefined where it is not known. */
export type Point = { at: number; values: readonly (number | undefined)[] };

/** The points with one more, the oldest dropped. */
export function appended(points: readonly Point[], point: Point): readonly Point[] {
  return [...points.slice(1 - MOST), point];
}

/** How fast a counter grows a second; from nothing, if it was set back. */
export function growth(before: number, after: number, ms: number): number {
  if (ms <= 0) return 0;
  return ((after < before ? after : after - before) * 1000) / ms;
}
