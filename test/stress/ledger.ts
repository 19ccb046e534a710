import type { Overflow } from "../../src/protocol/frames.ts";

/** Every `seq` from first to last, both included. */
export type Range = { first_seq: number; last_seq: number };

/**
 * What a subscriber asked for: everything after a position of this epoch or of another, or the newest so many. `early` says
 * that it asked while it was being sent more, and so may have got further since.
 */
export type Ask = { since?: number | "another epoch"; early?: boolean; lastN?: number; overflow: Overflow };

/** What it was promised, as the ack says. */
export type Grant = { seq: number; replay: number; recovered?: boolean | undefined; missed?: Range | undefined };

/** How a subscription ended: `cut` stands for all in which what was under way may be lost. */
export type Ending = "cut" | "replaced" | "unsubscribed" | "deleted";

/** How many events became what; a `seq` counts again where it was asked for again. */
export type Sums = { received: number; dropped: number; skipped: number; missed: number };

type Line =
  | { kind: "granted"; ask: Ask; grant: Grant }
  | { kind: "received"; first: number; last: number }
  | { kind: "gap"; gap: Range & { dropped: number } }
  | { kind: "ended"; how: Ending };

/** The rules of the server under test that a ledger is checked against. */
export type Terms = {
  maxHistory: number;
  /** Whether history may hold less than that, for want of memory. */
  scarce?: boolean;
};

/**
 * What one subscriber was told and sent of one epoch of one topic, over all its connections, line by line.
 *
 * It believes whatever it is given: only `balance()` judges, going over the lines with nothing but the protocol's rules.
 */
export class Ledger {
  readonly name: string;
  readonly #terms: Terms;
  readonly #lines: Line[] = [];
  #position: number | undefined;

  constructor(name: string, terms: Terms) {
    this.name = name;
    this.#terms = terms;
  }

  /** The `seq` that this subscriber resumes after; undefined before its first ack. */
  get position(): number | undefined {
    return this.#position;
  }

  /** An ack: of a subscription that begins, or of one that goes on and was asked for replay once more. */
  granted(ask: Ask, grant: Grant): void {
    this.#lines.push({ kind: "granted", ask, grant });
    const goesOn = this.#goesOn && grant.replay === 0;
    if (!goesOn) this.#position = grant.seq - grant.replay;
  }

  received(seq: number): void {
    const line = this.#lines.at(-1);
    if (line?.kind === "received" && line.last + 1 === seq) line.last = seq;
    else this.#lines.push({ kind: "received", first: seq, last: seq });
    this.#position = seq;
  }

  /** A `SLOW_CONSUMER`. */
  gap(gap: Range & { dropped: number }): void {
    this.#lines.push({ kind: "gap", gap });
    this.#position = gap.last_seq;
  }

  ended(how: Ending): void {
    this.#lines.push({ kind: "ended", how });
  }

  /**
   * Goes over the whole ledger and sums it up.
   *
   * @param newest the last `seq` of the epoch, which a subscriber must have got to if it stayed to the end
   * @throws where a `seq` is missing, repeated or out of order, or where a promise was not kept
   */
  balance(newest?: number): Sums {
    const audit = new Audit(this.#terms, newest);
    for (const [index, line] of this.#lines.entries()) {
      try {
        audit.read(line);
      } catch (cause) {
        const before = this.#lines.slice(Math.max(0, index - 4), index + 1).map((shown) => JSON.stringify(shown));
        const problem = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`${this.name}: ${problem}; the last lines were\n  ${before.join("\n  ")}`);
      }
    }
    if (audit.live) audit.atTheEnd(this.name);
    return audit.sums;
  }

  get #goesOn(): boolean {
    const before = this.#lines.slice(0, -1);
    const began = before.findLastIndex(({ kind }) => kind === "granted");
    return began >= 0 && !before.slice(began).some(({ kind }) => kind === "ended");
  }
}

/** One reading of a ledger, line by line. */
class Audit {
  readonly sums: Sums = { received: 0, dropped: 0, skipped: 0, missed: 0 };
  live = false;
  readonly #terms: Terms;
  readonly #newest: number | undefined;
  /** The last `seq` that is accounted for. */
  #at: number | undefined;
  #overflow: Overflow = "drop_oldest";
  #replayEnd = 0;
  #missedUntil = 0;
  #disconnected = false;
  /** Where one resumes who would rather have again what it was told is dropped. */
  #backTo: number | undefined;

  constructor(terms: Terms, newest: number | undefined) {
    this.#terms = terms;
    this.#newest = newest;
  }

  read(line: Line): void {
    if (line.kind === "granted") this.#granted(line.ask, line.grant);
    else if (!this.live) throw new Error(`a line '${line.kind}' while not subscribed`);
    else if (line.kind === "received") this.#received(line.first, line.last);
    else if (line.kind === "gap") this.#gap(line.gap);
    else this.#ended(line.how);
  }

  atTheEnd(place: string): void {
    if (this.#newest === undefined || this.#at === this.#newest) return;
    throw new Error(`${place}: accounted for up to ${this.#at}, and the last seq is ${this.#newest}`);
  }

  #granted(ask: Ask, grant: Grant): void {
    const start = grant.seq - grant.replay;
    if (grant.replay < 0 || start < 0) throw new Error("a replay of what never was");
    if (this.#newest !== undefined && grant.seq > this.#newest) throw new Error(`seq after the last, ${this.#newest}`);
    if (this.live) this.#grantedAgain(start, grant);
    else this.#begun(ask, start, grant);
    if (grant.replay > 0 || !this.live) {
      this.#at = start;
      this.#replayEnd = grant.seq;
    }
    this.live = true;
    this.#backTo = undefined;
    this.#disconnected = false;
    this.#overflow = ask.overflow;
    this.#missedUntil = grant.missed?.last_seq ?? 0;
  }

  /** What was still to come before the replay starts must have come, or been reported. */
  #grantedAgain(start: number, { replay }: Grant): void {
    if (replay === 0 || this.#at === undefined || start <= this.#at) return;
    if (this.#overflow !== "latest") throw new Error(`seq ${this.#at + 1} to ${start} left out by the new replay`);
    this.sums.skipped += start - this.#at;
  }

  #begun({ since, early = false, lastN = 0 }: Ask, start: number, { seq, replay, recovered, missed }: Grant): void {
    const lost = this.#lostUpTo(seq, start);
    if (since === undefined) {
      const due = Math.min(lastN, seq - lost);
      if (recovered !== undefined || missed !== undefined) throw new Error("told of a recovery not asked for");
      if (this.#terms.scarce ? replay > due : replay !== due)
        throw new Error(`a replay of ${replay} in place of ${due}`);
      return;
    }
    if (since === "another epoch") {
      if (recovered !== false || missed !== undefined) throw new Error("told of what was missed in another epoch");
      if (start !== lost) throw new Error(`not all of history, which is ${lost + 1} to ${seq}`);
      return;
    }
    const fits = since === this.#at || since === this.#backTo || (early && since < (this.#at ?? 0));
    if (!fits) throw new Error(`resumed at ${since}, and had ${this.#at}`);
    const complete = since >= lost;
    if (recovered !== complete) throw new Error(`recovered: ${recovered}, and history starts after ${lost}`);
    if (start !== Math.max(since, lost)) throw new Error(`replay after ${start} in place of ${Math.max(since, lost)}`);
    if (complete && missed === undefined) return;
    if (complete || missed?.first_seq !== since + 1 || missed.last_seq !== lost) {
      throw new Error(`said to have missed ${JSON.stringify(missed)}, and had ${since} of ${lost}`);
    }
    this.sums.missed += lost - since;
  }

  /** The last `seq` that history has lost. Where memory is scarce only the replay tells. */
  #lostUpTo(seq: number, start: number): number {
    const least = Math.max(0, seq - this.#terms.maxHistory);
    return this.#terms.scarce ? Math.max(least, start) : least;
  }

  #received(first: number, last: number): void {
    const at = this.#at ?? 0;
    if (this.#disconnected) throw new Error(`seq ${first} received after the gap that was to end the connection`);
    if (first <= this.#missedUntil) throw new Error(`seq ${first} received, and reported as missed`);
    if (first <= at) throw new Error(`seq ${first} received again, after ${at}`);
    if (first > at + 1) {
      const skipped = `seq ${at + 1} to ${first - 1} neither received nor reported`;
      if (this.#overflow !== "latest") throw new Error(skipped);
      if (at < this.#replayEnd && !this.#terms.scarce) throw new Error(`${skipped}, of a replay that was asked for`);
      this.sums.skipped += first - at - 1;
    }
    this.sums.received += last - first + 1;
    this.#at = last;
  }

  #gap({ first_seq, last_seq, dropped }: Range & { dropped: number }): void {
    const at = this.#at ?? 0;
    if (this.#overflow === "latest") throw new Error("a gap reported to one who wants the latest only");
    if (last_seq < first_seq) throw new Error("an empty gap");
    if (dropped !== last_seq - first_seq + 1) throw new Error(`a gap of ${dropped} by its own count`);
    if (first_seq !== at + 1) throw new Error(`a gap from ${first_seq} on, where the next seq is ${at + 1}`);
    this.#disconnected = this.#overflow === "disconnect";
    if (this.#disconnected) this.#backTo = at;
    this.sums.dropped += dropped;
    this.#at = last_seq;
  }

  #ended(how: Ending): void {
    this.live = false;
    if (how !== "deleted" || this.#overflow === "latest") return;
    this.atTheEnd("the topic was deleted");
  }
}
