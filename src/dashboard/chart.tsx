import { useLayoutEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { clock, rate } from "./format.ts";
import { columnsOf, INCREMENTS, type Point } from "./series.ts";

type Line = { label: string; color: "published" | "delivered" };

/** The least time that is shown, in seconds, so that the first points do not fill the chart. */
const LEAST_SPAN = 60;

type ChartProps = { title: string; lines: readonly Line[]; points: readonly Point[]; height?: number };

/** Lines over time. Their newest values, or those under the pointer, stand above them. */
export function Chart({ title, lines, points, height = 150 }: ChartProps) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const [at, setAt] = useState<number | null>(null);
  const isDark = useDark();
  const data = columnsOf(points, lines.length);

  useLayoutEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const made = new uPlot(optionsOf(element, lines, height, setAt), data, element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [isDark, lines, height]);
  useLayoutEffect(() => plot.current?.setData(data), [points, isDark]);

  const shown = points[at ?? points.length - 1] ?? points.at(-1);
  const described = lines.map(({ label }, index) => `${label} ${rate(shown?.values[index])} a second`).join(", ");
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        {lines.map(({ label, color }, index) => (
          <span key={label} class="legend">
            <span class={`swatch ${color}`} aria-hidden="true" />
            {label} <strong class="number">{rate(shown?.values[index])}</strong>/s
          </span>
        ))}
      </figcaption>
      <div
        ref={holder}
        class="plot"
        style={{ height: `${height}px` }}
        role="img"
        aria-label={`Chart of ${title.toLowerCase()}: ${described}`}
      />
    </figure>
  );
}

function optionsOf(
  element: HTMLElement,
  lines: readonly Line[],
  height: number,
  setAt: (at: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: color("muted"), font: `11px ${style.fontFamily}`, ticks: { show: false } };
  const grid = { stroke: color("grid"), width: 1 };
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { range: spanOf },
      y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.15)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 24, space: 90, values: (_plot, ticks) => ticks.map((at) => clock(at)) },
      {
        ...axis,
        grid,
        size: 44,
        space: 36,
        incrs: INCREMENTS,
        values: (_plot, ticks) => ticks.map((tick) => rate(tick)),
      },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        points: { show: false },
        // Where everybody is sent everything to one, both lines are the same: one is seen beside and through the other.
        ...(line.color === "published" ? { width: 4, fill: color("published-fill") } : { width: 2, dash: [6, 5] }),
      })),
    ],
    hooks: { setCursor: [({ cursor }: uPlot) => setAt(cursor.idx ?? null)] },
  };
}

/** From the first point to the last: of a single one uPlot itself would make a day. */
function spanOf({ data: [times] }: uPlot): [number, number] {
  const last = times.at(-1) ?? Date.now() / 1000;
  return [Math.min(times[0] ?? last, last - LEAST_SPAN), last];
}

/** Whether dark colours are asked for: a canvas does not follow by itself. */
function useDark(): boolean {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const [isDark, setDark] = useState(query.matches);
  useLayoutEffect(() => {
    const changed = () => setDark(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return isDark;
}

/** The last rates of a topic, small enough for a row of a table. Its number stands beside it. */
export function Trend({ values }: { values: readonly number[] }) {
  const most = Math.max(1, ...values);
  const points = values.map((value, index) => `${60 - 2 * (values.length - 1 - index)},${17 - (15 * value) / most}`);
  return (
    <svg class="trend" viewBox="0 0 62 18" width="62" height="18" aria-hidden="true">
      <path class="trend-base" d="M0 17.5H62" />
      {points.length > 1 && <polyline points={points.join(" ")} />}
    </svg>
  );
}
