import type { Frame } from "../support/frames.ts";
import type { Random } from "../support/random.ts";
import { idle, type Books } from "./books.ts";
import type { Seat } from "./seat.ts";
import type { End, Listener, Wire } from "./wire.ts";

/** The longest that most read nothing, */
const STALL_MS = 800;
/** and how long a few do: past the time after which Bun itself drops a socket that it has closed. */
const LONG_STALL_MS = 8000;

/** The most bytes that still come before a cut. */
const CUT_BYTES = 400_000;

/**
 * One who subscribes, stalls, is cut off, and comes back with the last position it saw, again and again, until the run is
 * over. What it does is decided by its own random numbers; when it happens is up to the machine.
 */
export abstract class ReturningSubscriber {
  readonly seats: readonly Seat[];
  protected readonly random: Random;
  protected readonly books: Books;
  protected wire: Wire | undefined;
  #ghosts: Wire[] = [];

  constructor(seats: readonly Seat[], random: Random, books: Books) {
    this.seats = seats;
    this.random = random;
    this.books = books;
  }

  get connected(): boolean {
    return this.wire !== undefined;
  }

  async live(): Promise<void> {
    while (this.books.running) {
      if (this.wire === undefined) this.comeBack();
      await idle(this.random, 60);
      await this.#act();
    }
  }

  /** Does nothing more but read, on a connection that lasts. */
  settle(): void {
    for (const ghost of this.#ghosts) ghost.cut();
    this.#ghosts = [];
    this.wire?.cutAfter(Number.POSITIVE_INFINITY, () => {});
    this.wire?.read();
    if (this.wire === undefined) this.comeBack();
  }

  /** Whether everything that was asked for has come. */
  abstract get settled(): boolean;

  leave(): void {
    const { wire } = this;
    if (wire === undefined) return;
    wire.cut();
    this.#lost();
  }

  comeBack(): void {
    const wire: Wire = this.open({
      opened: (status) => {
        if (this.wire === wire) this.opened(status);
      },
      frame: (frame, id) => {
        if (this.wire === wire) this.#guarded(() => this.frame(frame, id));
      },
      over: (end) => {
        if (this.wire !== wire) return;
        this.books.tally["closed by server"]++;
        this.#guarded(() => this.#over(end));
      },
      failed: (cause) => this.books.fail(cause),
    });
    this.wire = wire;
  }

  /** Connects, and asks for what it is to be subscribed to at the latest when `opened` is called. */
  protected abstract open(listener: Listener): Wire;
  protected abstract opened(status: number): void;
  protected abstract frame(frame: Frame, id: string | undefined): void;
  /** Something that only its own kind does. */
  protected abstract act(wire: Wire): void;
  /** Takes note that what was asked for on the connection that was lost will not be answered. */
  protected abstract lost(): void;

  async #act(): Promise<void> {
    const { wire, random, books } = this;
    if (wire === undefined) return;
    const dice = random.int(100);
    if (dice < 25) await this.#stall(wire);
    else if (dice < 40) wire.cutAfter(1 + random.int(CUT_BYTES), () => this.wire === wire && this.#lost());
    else if (dice < 44) this.leave();
    else if (dice < 48) this.#leaveGhost(wire);
    else if (dice < 75) this.act(wire);
    else books.throwIfFailed();
  }

  async #stall(wire: Wire): Promise<void> {
    this.books.tally.stalls++;
    wire.stall();
    if (this.random.chance(0.02)) await this.#stallLong(wire);
    else await idle(this.random, STALL_MS);
    wire.read();
  }

  /** Nothing that happens to it meanwhile may be missing once it reads again, its own end among it. */
  async #stallLong(wire: Wire): Promise<void> {
    this.books.tally["long stalls"]++;
    wire.cutAfter(Number.POSITIVE_INFINITY, () => {});
    await Bun.sleep(LONG_STALL_MS);
  }

  /** Comes back while the server still takes the old connection for alive. */
  #leaveGhost(wire: Wire): void {
    this.books.tally.ghosts++;
    if (this.random.chance(0.5)) wire.stall();
    this.wire = undefined;
    this.#ended();
    for (const ghost of this.#ghosts) ghost.cut();
    this.#ghosts = [wire];
  }

  #over(end: End | undefined): void {
    const told = this.seats.some(({ live }) => live) && end?.code === 4404;
    this.wire = undefined;
    this.#ended();
    if (end === undefined) throw new Error(`${this.constructor.name} was disconnected without a word`);
    if (told) throw new Error(`${this.constructor.name} was closed for a deletion while it had a subscription`);
  }

  #lost(): void {
    this.books.tally.cuts++;
    this.wire = undefined;
    this.#ended();
  }

  #ended(): void {
    for (const seat of this.seats) seat.ended("cut");
    this.lost();
  }

  #guarded(handle: () => void): void {
    try {
      handle();
    } catch (cause) {
      this.books.fail(cause);
    }
  }
}
