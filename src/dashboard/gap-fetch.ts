import { PubSubError, type HistoryOptions, type HistoryPage } from "../client/index.ts";
import { eventRow, gapRow, type EventRow, type GapRow } from "./rows.ts";

/** What reads history; a client does. */
type Reader = { history(topic: string, options: HistoryOptions): Promise<HistoryPage<string>> };

/** How many messages of a gap are shown where it is, each time that it is asked for more. */
const FETCHED = 200;

/**
 * What history has of the oldest messages of a gap, and the gap that is left after them.
 *
 * @returns rows in place of that of the gap, oldest first
 */
export async function fetchGap(client: Reader, row: GapRow): Promise<GapRow[]> {
  const { topic, epoch, first_seq: first, last_seq: last = first - 1 } = row.gap;
  const found: EventRow[] = [];
  let until = Math.min(last, first + FETCHED - 1);
  for (let next = first; next <= until;) {
    const page = await pageOf(client.history(topic, { since: { epoch, seq: next - 1 }, until }));
    // What this epoch had is gone with it.
    if (page === undefined) return [done(row, last, [])];
    const oldest = Math.min(page.oldest_seq, last + 1);
    if (found.length === 0 && page.events.length === 0 && oldest > next) {
      next = oldest;
      until = Math.min(last, oldest + FETCHED - 1);
      continue;
    }
    found.push(...page.events.map((event) => eventRow(event, true)));
    const newest = page.events.at(-1)?.seq;
    next = page.more && newest !== undefined ? newest + 1 : until + 1;
  }
  const rest = until < last ? [gapRow({ ...row.gap, first_seq: until + 1 })] : [];
  return [done(row, until, found), ...rest];
}

function done(row: GapRow, until: number, found: EventRow[]): GapRow {
  const lost = until - row.gap.first_seq + 1 - found.length;
  return { ...row, gap: { ...row.gap, last_seq: until }, fetch: { is: "done", found: found.reverse(), lost } };
}

async function pageOf(asked: Promise<HistoryPage<string>>): Promise<HistoryPage<string> | undefined> {
  try {
    return await asked;
  } catch (cause) {
    if (cause instanceof PubSubError && cause.code === "EPOCH_OVER") return undefined;
    throw cause;
  }
}
