import { describe, expect, test } from "bun:test";
import { Histogram } from "../../src/cli/histogram.ts";

describe("Histogram", () => {
  test("has percentiles that are right to a few percent", () => {
    const histogram = new Histogram();
    for (let ms = 1; ms <= 1000; ms++) histogram.add(ms);
    for (const [share, exact] of [
      [0.5, 500],
      [0.9, 900],
      [0.99, 990],
      [0.001, 1],
    ] as const) {
      const found = histogram.percentile(share);
      expect(found).toBeGreaterThanOrEqual(exact);
      expect(found).toBeLessThan(exact * 1.03);
    }
    expect([histogram.percentile(1), histogram.max, histogram.count]).toEqual([1000, 1000, 1000]);
  });

  test("counts what is too short and too long to be told apart", () => {
    const histogram = new Histogram();
    for (const ms of [0, 1e-9, 1e12]) histogram.add(ms);
    expect(histogram.count).toBe(3);
    expect(histogram.max).toBe(1e12);
    expect(histogram.percentile(0.5)).toBeLessThan(0.01);
  });

  test("has doublings from the first to the last that has some", () => {
    const histogram = new Histogram();
    for (const ms of [1.5, 1.6, 6]) histogram.add(ms);
    expect(histogram.doublings().map(({ count }) => count)).toEqual([2, 0, 1]);
    expect(histogram.doublings().reduce((sum, { count }) => sum + count, 0)).toBe(3);
  });

  test("of nothing has no percentile", () => {
    expect(new Histogram().percentile(0.5)).toBeNaN();
    expect(new Histogram().doublings()).toEqual([]);
  });
});
