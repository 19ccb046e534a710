import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Trend } from "./chart.tsx";
import { count, rate, short } from "./format.ts";
import { Name, visible } from "./names.tsx";
import type { Overview, Topic } from "./overview.ts";
import { hashOf } from "./route.ts";

type Column = "name" | "rate" | "subscribers";
type Order = { by: Column; isDown: boolean };

/** As tall as the style sheet makes a row. */
const ROW_HEIGHT = 36;
/** Rows above and below those in view, so that scrolling shows no empty ones. */
const MARGIN = 6;

const COLUMNS: readonly { by: Column; label: string; title: string }[] = [
  { by: "name", label: "Topic", title: "Topic" },
  { by: "rate", label: "Pub./s", title: "Published a second" },
  { by: "subscribers", label: "Subs", title: "Subscribers" },
];

/** All topics, of which only the rows in view are in the document. */
export function TopicList(props: { overview: Overview; selected: string | undefined; create: () => void }) {
  const { overview, selected, create } = props;
  const [search, setSearch] = useState("");
  const [order, setOrder] = useState<Order>({ by: "name", isDown: false });
  const rows = useMemo(() => arranged(overview, search, order), [overview, search, order]);
  const { topics, isAdmin, isStale } = overview;
  return (
    <nav class={isStale ? "topics stale" : "topics"} aria-label="Topics">
      <div class="topics-head">
        <h2>
          Topics <span class="count">{count(topics.size)}</span>
        </h2>
        {isAdmin && (
          <button type="button" class="primary" onClick={create}>
            New topic
          </button>
        )}
      </div>
      <input
        type="search"
        class="search"
        placeholder="Search topics"
        aria-label="Search topics"
        value={search}
        onInput={({ currentTarget }) => setSearch(currentTarget.value)}
      />
      <Rows rows={rows} selected={selected} order={order} setOrder={setOrder} hasRates={isAdmin} />
      <p class="note">
        {search !== "" && `${count(rows.length)} of ${count(topics.size)} topics. `}
        {noteOf(overview)}
      </p>
    </nav>
  );
}

function noteOf({ isAdmin, isStale, intervalMs }: Overview): string {
  if (isStale) return "As of the last answer of the server.";
  return isAdmin ? `Rates sampled every ${intervalMs / 1000} s.` : "This credential may not see rates.";
}

function arranged({ topics }: Overview, search: string, { by, isDown }: Order): Topic[] {
  const wanted = search.trim().toLowerCase();
  const all = [...topics.values()];
  const rows = wanted === "" ? all : all.filter(({ name }) => name.toLowerCase().includes(wanted));
  if (by === "name") return isDown ? rows.reverse() : rows;
  // They come in the order of their names, in which those that are equal stay.
  const value = by === "rate" ? (topic: Topic) => topic.rate ?? 0 : (topic: Topic) => topic.subscribers;
  return rows.sort((a, b) => (isDown ? value(b) - value(a) : value(a) - value(b)));
}

type RowsProps = {
  rows: readonly Topic[];
  selected: string | undefined;
  order: Order;
  setOrder: (order: Order) => void;
  hasRates: boolean;
};

function Rows({ rows, selected, order, setOrder, hasRates }: RowsProps) {
  const holder = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  /** The topic that the keyboard is at; the others are not in the tab order. */
  const [at, setAt] = useState(selected);
  const wantsFocus = useRef(false);
  useLayoutEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const resized = new ResizeObserver(() => setHeight(element.clientHeight));
    resized.observe(element);
    return () => resized.disconnect();
  }, []);
  const active = Math.max(
    0,
    rows.findIndex(({ name }) => name === at),
  );
  const isListed = rows[active]?.name === selected;
  useLayoutEffect(() => setAt(selected), [selected]);
  // A topic that was opened by its address, or made just now, is brought into view.
  useLayoutEffect(() => {
    const element = holder.current;
    const y = active * ROW_HEIGHT;
    if (element === null || !isListed || isInView(element, y)) return;
    element.scrollTop = y - element.clientHeight / 2;
    setTop(element.scrollTop);
  }, [selected, isListed]);
  const inView = Math.ceil(height / ROW_HEIGHT);
  // A search may leave fewer rows than were scrolled past.
  const firstInView = Math.max(0, Math.min(Math.floor(top / ROW_HEIGHT), rows.length - inView));
  const first = Math.max(0, firstInView - MARGIN);
  const last = Math.min(rows.length, firstInView + inView + 1 + MARGIN);
  const reachable = Math.min(Math.max(active, first), last - 1);
  useLayoutEffect(() => {
    if (!wantsFocus.current) return;
    const link = holder.current?.querySelector<HTMLElement>(`[data-index="${active}"]`);
    if (link == null) return;
    wantsFocus.current = false;
    link.focus();
  });
  const move = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(height / ROW_HEIGHT) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length };
    const step = Object.entries(steps).find(([key]) => key === event.key)?.[1];
    const element = holder.current;
    if (step === undefined || element === null || rows.length === 0) return;
    event.preventDefault();
    const next = Math.min(rows.length - 1, Math.max(0, reachable + step));
    const y = next * ROW_HEIGHT;
    if (!isInView(element, y)) element.scrollTop = y < element.scrollTop ? y : y - roomIn(element);
    wantsFocus.current = true;
    setTop(element.scrollTop);
    setAt(rows[next]?.name);
  };
  return (
    <div class="rows" ref={holder} onScroll={({ currentTarget }) => setTop(currentTarget.scrollTop)}>
      <table aria-rowcount={rows.length + 1} onKeyDown={move}>
        <caption class="unseen">Topics, with messages published a second and subscribers</caption>
        <thead>
          <tr>
            {COLUMNS.filter(({ by }) => hasRates || by !== "rate").map((column) => (
              <Heading key={column.by} column={column} order={order} setOrder={setOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          <Space height={first * ROW_HEIGHT} />
          {rows.slice(first, last).map((topic, index) => (
            <tr key={topic.name} aria-rowindex={first + index + 2} class={topic.name === selected ? "selected" : ""}>
              <th scope="row">
                <a
                  href={hashOf(topic.name)}
                  title={visible(topic.name)}
                  data-index={first + index}
                  tabindex={first + index === reachable ? 0 : -1}
                  aria-current={topic.name === selected ? "page" : undefined}
                  onFocus={() => setAt(topic.name)}
                >
                  <Name of={topic.name} />
                </a>
              </th>
              {hasRates && (
                <td class="number">
                  <Trend values={topic.trend} />
                  <span class={topic.rate ? "figure" : "figure quiet"}>{rate(topic.rate)}</span>
                </td>
              )}
              <td class={topic.subscribers > 0 ? "number" : "number quiet"}>{short(topic.subscribers)}</td>
            </tr>
          ))}
          <Space height={(rows.length - last) * ROW_HEIGHT} />
        </tbody>
      </table>
    </div>
  );
}

/** How far below the first row in view the last one begins. The header stays in view above the rows. */
function roomIn(element: HTMLElement): number {
  return element.clientHeight - 2 * ROW_HEIGHT;
}

function isInView(element: HTMLElement, y: number): boolean {
  return y >= element.scrollTop && y <= element.scrollTop + roomIn(element);
}

/** Takes the place of rows that are not in view. */
function Space({ height }: { height: number }) {
  if (height <= 0) return null;
  return (
    <tr class="space" aria-hidden="true">
      <td colSpan={3} style={{ height: `${height}px` }} />
    </tr>
  );
}

function Heading(props: { column: (typeof COLUMNS)[number]; order: Order; setOrder: (order: Order) => void }) {
  const { column, order, setOrder } = props;
  const isSorted = order.by === column.by;
  const sort = () => setOrder({ by: column.by, isDown: isSorted ? !order.isDown : column.by !== "name" });
  const sorted = isSorted ? (order.isDown ? "descending" : "ascending") : "none";
  return (
    <th scope="col" aria-sort={sorted} class={column.by === "name" ? "" : "number"}>
      <button type="button" class="sort" title={`Sort by: ${column.title}`} onClick={sort}>
        {column.label}
        {isSorted && (
          <span class="arrow" aria-hidden="true">
            {order.isDown ? "▾" : "▴"}
          </span>
        )}
      </button>
    </th>
  );
}
