import type { Position, PubSubError, Subscription, SubscriptionState } from "../client/index.ts";
import { fetchGap } from "./gap-fetch.ts";
import { Observable } from "./observable.ts";
import { eventRow, gapRow, sampled, sizeOf, type EventRow, type GapRow, type Row } from "./rows.ts";
import type { RawClient } from "./session.ts";

/** How many rows are shown, and how many are kept for another filter. */
const SHOWN = 200;
const KEPT = 1000;
/** Characters of payload that are kept, so that large messages do not fill the tab's memory. */
const KEPT_CHARACTERS = 8_000_000;
/** How many rows may appear at once, and a second. More cannot be read, and the page would not be smooth. */
const BURST = 100;
const PER_SECOND = 100;
const PAINT_MS = 100;

/** What may pass: it is asked again once the topic is known to be there. Anything else is final. */
const PASSING = ["TOPIC_NOT_FOUND", "TOPIC_DELETED", "LIMIT_EXCEEDED"];

export type Pace = { arrived: number; shown: number };
export type TailState = { is: SubscriptionState; cause?: PubSubError | undefined };

/** The newest messages of a topic, gaps in their places, drawn at a pace that can be looked at. */
export class Tail {
  /** Newest first. */
  readonly rows = new Observable<readonly Row[]>([]);
  /** Messages of the last second that passed the filter, and how many of them were drawn. */
  readonly pace = new Observable<Pace>({ arrived: 0, shown: 0 });
  /** How many messages came while nothing was drawn. */
  readonly held = new Observable(0);
  readonly state = new Observable<TailState>({ is: "subscribing" });
  /** Who the page is among the subscribers. */
  readonly clientId = `dashboard-${crypto.getRandomValues(new Uint32Array(1)).join()}`;
  readonly #client: RawClient;
  readonly #topic: string;
  readonly #timers: ReturnType<typeof setInterval>[];
  #subscription: Subscription<string> | undefined;
  /** After the last item of the subscriptions so far. */
  #position: Position | undefined;
  /** Where the topic stood when it was subscribed to: what is not newer is replay. */
  #start: Position = { epoch: "", seq: 0 };
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
    this.#topic = topic;
    this.#timers = [setInterval(() => this.#paint(), PAINT_MS), setInterval(() => this.#tellPace(), 1000)];
  }

  /**
   * Subscribes, unless it does already. A server may create what is subscribed to, and looking at a topic must not:
   * so it must have been seen just now.
   *
   * @param seen where the topic stood then
   */
  follow(seen: Position): void {
    const { is, cause } = this.state.value;
    const isOver = is === "ended" && !PASSING.some((code) => code === cause?.code);
    if (this.#subscription !== undefined || isOver || this.#client.state !== "connected") return;
    this.#start = seen;
    const subscription: Subscription<string> = this.#client.subscribe(this.#topic, {
      ...(this.#position === undefined ? { last: 50 } : { since: this.#position }),
      clientId: this.clientId,
      overflow: "drop_oldest",
      onEvent: (event) => this.#add(eventRow(event)),
      onGap: (gap) => this.#add(gapRow(gap)),
      onState: (state, reason) => this.#subscription === subscription && this.#changed(subscription, state, reason),
    });
    this.#subscription = subscription;
  }

  /** Whether it may not be read, now or ever. */
  get isForbidden(): boolean {
    const { cause } = this.state.value;
    return cause?.code === "FORBIDDEN" || cause?.code === "REVOKED";
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    const subscription = this.#subscription;
    this.#subscription = undefined;
    subscription?.close();
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

  /** Asks history for what a gap lacks, and shows it where it belongs. What is more than it shows stays a gap. */
  async fetch(row: GapRow): Promise<void> {
    const underWay: GapRow = { ...row, fetch: { is: "under way" } };
    this.#replace(row, [underWay]);
    try {
      this.#replace(underWay, await fetchGap(this.#client, row));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#replace(underWay, [{ ...row, fetch: { is: "failed", why } }]);
    }
  }

  /** @param after oldest first */
  #replace(before: GapRow, after: readonly GapRow[]): void {
    const change = (rows: readonly Row[], by: readonly Row[]) => rows.flatMap((row) => (row === before ? by : [row]));
    this.#recent = change(this.#recent, after);
    this.#waiting = change(this.#waiting, after);
    this.rows.set(change(this.rows.value, after.toReversed()));
  }

  #changed(subscription: Subscription<string>, is: SubscriptionState, cause: PubSubError | undefined): void {
    if (is === "ended") this.#leave(subscription);
    // The library would subscribe again by itself, whether the topic is there or not. It is left once it is through here.
    if (is === "waiting") queueMicrotask(() => this.#leave(subscription));
    this.state.set({ is, cause });
  }

  #leave(subscription: Subscription<string>): void {
    if (this.#subscription !== subscription) return;
    this.#subscription = undefined;
    this.#position = subscription.position ?? this.#position;
    subscription.close();
  }

  #add(row: Row): void {
    this.#recent.push(row);
    this.#characters += sizeOf(row);
    while (this.#recent.length > KEPT || (this.#characters > KEPT_CHARACTERS && this.#recent.length > 1)) {
      const oldest = this.#recent.shift();
      if (oldest !== undefined) this.#characters -= sizeOf(oldest);
      if (this.#waiting[0] === oldest) this.#waiting.shift();
    }
    if (!this.#passes(row)) return;
    if (this.#isNew(row)) this.#counted.arrived++;
    if (this.#isHeld) return void this.#heldBack++;
    this.#waiting.push(row);
    // A hidden page paints seldom.
    if (this.#waiting.length > KEPT) this.#waiting.splice(0, this.#waiting.length - KEPT);
  }

  #isNew(row: Row): row is EventRow {
    if (row.kind === "gap") return false;
    return row.event.epoch !== this.#start.epoch || row.event.seq > this.#start.seq;
  }

  #passes(row: Row): boolean {
    if (row.kind === "gap" || this.#filter === "") return true;
    return row.event.payload.toLowerCase().includes(this.#filter);
  }

  #redraw(): void {
    this.#waiting = [];
    this.#heldBack = 0;
    this.held.set(0);
    // What was counted before says nothing of the rows that are there now.
    this.#counted = { arrived: 0, shown: 0 };
    this.pace.set(this.#counted);
    const rows = this.#recent.filter((row) => this.#passes(row));
    this.rows.set(rows.slice(-SHOWN).reverse());
  }

  #paint(): void {
    this.#budget = Math.min(BURST, this.#budget + (PER_SECOND * PAINT_MS) / 1000);
    this.held.set(this.#heldBack);
    if (this.#isHeld || this.#waiting.length === 0) return;
    const rows = sampled(this.#waiting, Math.floor(this.#budget));
    this.#waiting = [];
    this.#budget -= rows.filter(({ kind }) => kind === "event").length;
    this.#counted.shown += rows.filter((row) => this.#isNew(row)).length;
    this.rows.set([...rows.reverse(), ...this.rows.value].slice(0, SHOWN));
  }

  #tellPace(): void {
    const { arrived, shown } = this.#counted;
    this.#counted = { arrived: 0, shown: 0 };
    const before = this.pace.value;
    if (arrived !== before.arrived || shown !== before.shown) this.pace.set({ arrived, shown });
  }
}
