import type { Gap, PubSubError, Subscription, SubscriptionState, TopicEvent } from "../client/index.ts";
import { Observable } from "./observable.ts";
import type { RawClient } from "./session.ts";

export type EventRow = { kind: "event"; key: string; event: TopicEvent<string>; isFetched: boolean };
export type GapRow = { kind: "gap"; key: string; gap: Gap; fetch: FetchState };
export type Row = EventRow | GapRow;

export type FetchState =
  | { is: "offered" | "under way" | "impossible" }
  | { is: "done"; found: readonly EventRow[]; lost: number }
  | { is: "failed"; why: string };

/** How many rows are shown, and how many are kept for another filter. */
const SHOWN = 200;
const KEPT = 1000;
/** Characters of payload that are kept, so that large messages do not fill the tab's memory. */
const KEPT_CHARACTERS = 8_000_000;
/** How many rows may appear at once, and a second. More cannot be read, and the page would not be smooth. */
const BURST = 100;
const PER_SECOND = 100;
const PAINT_MS = 100;
/** How many messages of a gap are shown where it is. */
const FETCHED = 200;

export type Pace = { arrived: number; shown: number };

/** The newest messages of a topic, gaps in their places, drawn at a pace that can be looked at. */
export class Tail {
  /** Newest first. */
  readonly rows = new Observable<readonly Row[]>([]);
  /** Messages of the last second that passed the filter, and how many of them were drawn. */
  readonly pace = new Observable<Pace>({ arrived: 0, shown: 0 });
  /** How many messages came while nothing was drawn. */
  readonly held = new Observable(0);
  readonly state = new Observable<{ is: SubscriptionState; cause?: PubSubError | undefined }>({ is: "subscribing" });
  /** Who the page is among the subscribers. */
  readonly clientId = `dashboard-${crypto.getRandomValues(new Uint32Array(1)).join()}`;
  readonly #client: RawClient;
  readonly #subscription: Subscription<string>;
  readonly #timers: ReturnType<typeof setInterval>[];
  #recent: Row[] = [];
  #characters = 0;
  #waiting: Row[] = [];
  #isHeld = false;
  #heldBack = 0;
  #filter = "";
  #budget = BURST;
  #counted: Pace = { arrived: 0, shown: 0 };

  constructor(client: RawClient, topic: string) {
    this.#client = client;
    this.#subscription = client.subscribe(topic, {
      last: 50,
      clientId: this.clientId,
      overflow: "drop_oldest",
      onEvent: (event) => this.#add(eventRow(event)),
      onGap: (gap) => this.#add(gapRow(gap)),
      onState: (is, cause) => this.state.set({ is, cause }),
    });
    this.#timers = [setInterval(() => this.#paint(), PAINT_MS), setInterval(() => this.#tellPace(), 1000)];
  }

  /** Whether it has ended for want of its topic, which may come back. */
  get isWithoutTopic(): boolean {
    const { is, cause } = this.state.value;
    return is === "ended" && (cause?.code === "TOPIC_NOT_FOUND" || cause?.code === "TOPIC_DELETED");
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#subscription.close();
  }

  filter(text: string): void {
    this.#filter = text.toLowerCase();
    this.#redraw();
  }

  /** Draws nothing until it is let go on. What comes meanwhile is kept. */
  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    this.#heldBack = isHeld ? this.#waiting.length : 0;
    if (!isHeld) this.#redraw();
  }

  clear(): void {
    this.#recent = [];
    this.#characters = 0;
    this.#redraw();
  }

  /** Asks history for what a gap lacks, and shows it where it belongs. */
  async fetch(row: GapRow): Promise<void> {
    const { topic, epoch, first_seq, last_seq = first_seq - 1 } = row.gap;
    let current = this.#replace(row, { ...row, fetch: { is: "under way" } });
    try {
      const until = Math.min(last_seq, first_seq + FETCHED - 1);
      const found: EventRow[] = [];
      for (let since = first_seq - 1, more = true; more && since < until;) {
        const page = await this.#client.history(topic, { since: { epoch, seq: since }, until });
        found.push(...page.events.map((event) => eventRow(event, true)));
        more = page.more && page.events.length > 0;
        since = page.events.at(-1)?.seq ?? until;
      }
      const lost = until - first_seq + 1 - found.length;
      current = this.#replace(current, { ...row, fetch: { is: "done", found: found.reverse(), lost } });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#replace(current, { ...row, fetch: { is: "failed", why } });
    }
  }

  #replace(before: GapRow, after: GapRow): GapRow {
    const change = (rows: readonly Row[]) => rows.map((row) => (row === before ? after : row));
    this.#recent = change(this.#recent);
    this.#waiting = change(this.#waiting);
    this.rows.set(change(this.rows.value));
    return after;
  }

  #add(row: Row): void {
    this.#recent.push(row);
    this.#characters += sizeOf(row);
    while (this.#recent.length > KEPT || (this.#characters > KEPT_CHARACTERS && this.#recent.length > 1)) {
      const oldest = this.#recent.shift();
      if (oldest !== undefined) this.#characters -= sizeOf(oldest);
    }
    if (!this.#passes(row)) return;
    if (row.kind === "event") this.#counted.arrived++;
    if (this.#isHeld) return void this.#heldBack++;
    this.#waiting.push(row);
    // A hidden page paints seldom.
    if (this.#waiting.length > KEPT) this.#waiting.splice(0, this.#waiting.length - KEPT);
  }

  #passes(row: Row): boolean {
    if (row.kind === "gap" || this.#filter === "") return true;
    return row.event.payload.toLowerCase().includes(this.#filter) || row.event.id.includes(this.#filter);
  }

  #redraw(): void {
    this.#waiting = [];
    this.#heldBack = 0;
    this.held.set(0);
    const rows = this.#recent.filter((row) => this.#passes(row));
    this.rows.set(rows.slice(-SHOWN).reverse());
  }

  #paint(): void {
    this.#budget = Math.min(BURST, this.#budget + (PER_SECOND * PAINT_MS) / 1000);
    this.held.set(this.#heldBack);
    if (this.#isHeld || this.#waiting.length === 0) return;
    const rows = sampled(this.#waiting, Math.floor(this.#budget));
    this.#waiting = [];
    const shown = rows.filter(({ kind }) => kind === "event").length;
    this.#budget -= shown;
    this.#counted.shown += shown;
    this.rows.set([...rows.reverse(), ...this.rows.value].slice(0, SHOWN));
  }

  #tellPace(): void {
    const { arrived, shown } = this.#counted;
    this.#counted = { arrived: 0, shown: 0 };
    const before = this.pace.value;
    if (arrived !== before.arrived || shown !== before.shown) this.pace.set({ arrived, shown });
  }
}

/** At most so many events, evenly spread up to the newest, and every gap. */
function sampled(rows: readonly Row[], most: number): Row[] {
  const events = rows.filter(({ kind }) => kind === "event").length;
  if (events <= most) return [...rows];
  let passed = 0;
  return rows.filter(({ kind }) => {
    if (kind === "gap") return true;
    passed++;
    return Math.floor((passed * most) / events) > Math.floor(((passed - 1) * most) / events);
  });
}

function eventRow(event: TopicEvent<string>, isFetched = false): EventRow {
  return { kind: "event", key: `${event.epoch}:${event.seq}`, event, isFetched };
}

function gapRow(gap: Gap): GapRow {
  const key = `gap ${gap.epoch}:${gap.first_seq}`;
  return { kind: "gap", key, gap, fetch: { is: gap.last_seq === undefined ? "impossible" : "offered" } };
}

function sizeOf(row: Row): number {
  return row.kind === "event" ? row.event.payload.length : 0;
}
