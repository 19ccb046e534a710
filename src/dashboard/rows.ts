import type { Gap, TopicEvent } from "../client/index.ts";

export type EventRow = { kind: "event"; key: string; event: TopicEvent<string>; isFetched: boolean };
export type GapRow = { kind: "gap"; key: string; gap: Gap; fetch: FetchState };
export type Row = EventRow | GapRow;

export type FetchState =
  | { is: "offered" | "under way" | "impossible" }
  | { is: "done"; found: readonly EventRow[]; lost: number }
  | { is: "failed"; why: string };

/** How many characters of a payload are kept and shown. */
export const MOST_SHOWN = 100_000;

export function eventRow(event: TopicEvent<string>, isFetched = false): EventRow {
  return { kind: "event", key: `${event.epoch}:${event.seq}`, event: shortened(event), isFetched };
}

/** An event without the rest of a large payload: thousands of them would fill the tab's memory. */
export function shortened(event: TopicEvent<string>): TopicEvent<string> {
  if (event.payload.length <= MOST_SHOWN) return event;
  // A part of a string keeps all of it in memory, so the part is made anew.
  const bytes = new TextEncoder().encode(event.payload.slice(0, MOST_SHOWN));
  return { ...event, payload: `${new TextDecoder().decode(bytes)}…` };
}

export function gapRow(gap: Gap): GapRow {
  const key = `gap ${gap.epoch}:${gap.first_seq}`;
  return { kind: "gap", key, gap, fetch: { is: gap.last_seq === undefined ? "impossible" : "offered" } };
}

export function sizeOf(row: Row): number {
  return row.kind === "event" ? row.event.payload.length : 0;
}

/** At most so many events, evenly spread up to the newest, and every gap. */
export function sampled(rows: readonly Row[], most: number): Row[] {
  const events = rows.filter(({ kind }) => kind === "event").length;
  if (events <= most) return [...rows];
  let passed = 0;
  return rows.filter(({ kind }) => {
    if (kind === "gap") return true;
    passed++;
    return Math.floor((passed * most) / events) > Math.floor(((passed - 1) * most) / events);
  });
}

/** How many messages came between two rows and are not shown: neither lost nor in a gap. */
export function notShownBetween(newer: Row, older: Row | undefined): number {
  if (older === undefined) return 0;
  const above = newer.kind === "event" ? newer.event : newer.gap;
  const below = older.kind === "event" ? older.event : older.gap;
  const first = "seq" in above ? above.seq : above.first_seq;
  const last = "seq" in below ? below.seq : below.last_seq;
  if (above.epoch !== below.epoch || last === undefined) return 0;
  return Math.max(0, first - last - 1);
}
