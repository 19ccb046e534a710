import type { Overflow } from "../../src/protocol/frames.ts";
import { gapOf, type AckFrame, type ErrorFrame, type EventFrame } from "../support/frames.ts";
import type { Random } from "../support/random.ts";
import type { Books } from "./books.ts";
import type { Ask, Ending, Ledger } from "./ledger.ts";
import { publicationOf } from "./truth.ts";

/** What a subscription frame carries besides topic and id. */
export type Wish = { since?: { epoch: string; seq: number }; last_n?: number };

/** A wish, and whether it was made while events were coming in. */
export type Made = { wish: Wish; early: boolean };

/** One subscriber's place at one topic, over all its connections: what it asks for, and its ledgers. */
export class Seat {
  readonly topic: string;
  readonly clientId: string;
  readonly overflow: Overflow;
  readonly #name: string;
  readonly #books: Books;
  readonly #ledgers = new Map<string, Ledger>();
  #epoch: string | undefined;
  #live = false;
  /** Where it resumes instead, to have again what it was told is dropped. */
  #before: number | undefined;

  constructor(name: string, topic: string, clientId: string, overflow: Overflow, books: Books) {
    this.#name = `${name}, ${overflow}, as ${clientId} on ${topic}`;
    this.topic = topic;
    this.clientId = clientId;
    this.overflow = overflow;
    this.#books = books;
  }

  get live(): boolean {
    return this.#live;
  }

  /** The last position it saw. */
  get position(): { epoch: string; seq: number } | undefined {
    const epoch = this.#epoch;
    const seq = epoch === undefined ? undefined : this.#ledgers.get(epoch)?.position;
    return epoch === undefined || seq === undefined ? undefined : { epoch, seq };
  }

  /** What to ask for now: mostly to go on where it was. */
  wish(random: Random, goOn = 0.85): Made {
    return { wish: this.#wish(random, goOn), early: this.#live };
  }

  #wish(random: Random, goOn: number): Wish {
    const { position } = this;
    const back = this.#before;
    this.#before = undefined;
    if (position !== undefined && random.chance(goOn)) {
      return { since: { ...position, seq: back ?? position.seq } };
    }
    return random.chance(0.5) ? { last_n: random.pick([0, 1, 5, 1000]) } : {};
  }

  granted({ wish, early }: Made, { epoch, seq, replay, recovered, missed }: AckFrame): void {
    if (epoch === undefined || seq === undefined || replay === undefined) throw new Error(`${this.#name}: no position`);
    const { since, last_n: lastN } = wish;
    const ask: Ask = { overflow: this.overflow };
    if (early) ask.early = true;
    if (lastN !== undefined) ask.lastN = lastN;
    if (since !== undefined) ask.since = since.epoch === epoch ? since.seq : "another epoch";
    if (this.#live && epoch !== this.#epoch) throw new Error(`${this.#name}: an epoch ended without a word`);
    const ledger = this.#ledgers.get(epoch) ?? this.#books.open(`${this.#name}, epoch ${epoch}`, epoch);
    this.#ledgers.set(epoch, ledger);
    if (!this.#live) this.#books.joined(this.topic, this.clientId, epoch, seq);
    if (since !== undefined) this.#books.tally.resumed++;
    if (recovered === true) this.#books.tally.recovered++;
    this.#before = undefined;
    ledger.granted(ask, { seq, replay, recovered, missed });
    this.#epoch = epoch;
    this.#live = true;
    this.#books.truth.reached(this.topic, epoch, seq);
  }

  event({ seq, message }: EventFrame): void {
    const { epoch, ledger } = this.#mine(`event ${seq}`);
    this.#books.truth.stands(this.topic, epoch, seq, publicationOf(message));
    ledger.received(seq);
  }

  gap(frame: ErrorFrame): void {
    const { dropped, first_seq, last_seq } = gapOf(frame);
    const { epoch, ledger } = this.#mine(`gap ${first_seq} to ${last_seq}`);
    // Who asked to be disconnected would rather resume than have the gap; half of the time it does.
    if (this.overflow === "disconnect" && dropped % 2 === 0) this.#before = first_seq - 1;
    this.#books.truth.reached(this.topic, epoch, last_seq);
    ledger.gap({ dropped, first_seq, last_seq });
  }

  ended(how: Ending): void {
    if (!this.#live) {
      if (how === "deleted" || how === "replaced") throw new Error(`${this.#name}: ${how} while not subscribed`);
      return;
    }
    const { epoch, ledger } = this.#mine(how);
    this.#live = false;
    ledger.ended(how);
    if (how !== "replaced") return;
    this.#books.tally.takeovers++;
    if (this.overflow === "latest") return;
    this.#books.replaced(this.#name, this.topic, this.clientId, epoch, ledger.position ?? 0);
  }

  #mine(what: string): { epoch: string; ledger: Ledger } {
    const epoch = this.#epoch ?? "";
    const ledger = this.#ledgers.get(epoch);
    if (!this.#live || ledger === undefined) throw new Error(`${this.#name}: ${what} while not subscribed`);
    return { epoch, ledger };
  }
}
