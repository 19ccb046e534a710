import type { AckFrame, ErrorFrame, Frame } from "../support/frames.ts";
import type { Random } from "../support/random.ts";
import type { Books } from "./books.ts";
import { ReturningSubscriber } from "./returning-subscriber.ts";
import type { Made, Seat } from "./seat.ts";
import { Wire, type Listener } from "./wire.ts";

/** Where a subscriber connects to, and the queue it asks for. */
export type Terms = { port: number; queue: number };

type Pending = { seat: Seat; subscribes: boolean; answered: (frame: AckFrame) => void };

/** A number of subscriptions on one connection, which come and go. */
export class WebSocketSubscriber extends ReturningSubscriber {
  readonly #terms: Terms;
  readonly #pending = new Map<Frame["request_id"], Pending>();
  #requests = 0;

  constructor(terms: Terms, seats: readonly Seat[], random: Random, books: Books) {
    super(seats, random, books);
    this.#terms = terms;
  }

  get settled(): boolean {
    return this.wire !== undefined && this.#pending.size === 0;
  }

  protected open(listener: Listener): Wire {
    return Wire.webSocket(this.#terms.port, listener);
  }

  protected opened(status: number): void {
    if (status !== 101) throw new Error(`Answered ${status} in place of 101`);
    for (const seat of this.seats) if (!this.#isAsked(seat)) this.#subscribe(seat, seat.wish(this.random));
  }

  protected frame(frame: Frame): void {
    if (frame.type === "event") this.#seatOf(frame.topic).event(frame);
    else if (frame.type === "ack" || (frame.type === "error" && frame.request_id !== undefined)) this.#answer(frame);
    else if (frame.type === "error") this.#seatOf(frame.topic).gap(slowConsumer(frame));
    else if (frame.type === "info" && frame.msg === "topic_deleted") this.#seatOf(frame.topic).ended("deleted");
    else if (frame.type === "info" && frame.msg === "subscription_replaced") {
      this.#seatOf(frame.topic).ended("replaced");
    }
  }

  protected act(): void {
    const seat = this.random.pick(this.seats);
    if (this.#isAsked(seat)) return;
    if (!seat.live) this.#subscribe(seat, seat.wish(this.random));
    else if (this.random.chance(0.5)) this.#unsubscribe(seat);
    else this.#subscribe(seat, seat.wish(this.random, 0.4));
  }

  protected lost(): void {
    for (const { seat, subscribes } of this.#pending.values()) {
      if (subscribes) this.books.joinedUnheard(seat.topic, seat.clientId);
    }
    this.#pending.clear();
  }

  /** Whether something is asked for that is not answered. On a slow machine it may be so before the connection is open. */
  #isAsked(seat: Seat): boolean {
    return [...this.#pending.values()].some((pending) => pending.seat === seat);
  }

  #subscribe(seat: Seat, made: Made): void {
    const { overflow } = seat;
    const answered = (frame: AckFrame) => seat.granted(made, frame);
    this.#ask(
      { seat, subscribes: true, answered },
      { type: "subscribe", ...made.wish, overflow, queue: this.#terms.queue },
    );
  }

  #unsubscribe(seat: Seat): void {
    this.#ask({ seat, subscribes: false, answered: () => seat.ended("unsubscribed") }, { type: "unsubscribe" });
  }

  #ask(pending: Pending, frame: object): void {
    const { topic, clientId } = pending.seat;
    const id = ++this.#requests;
    this.#pending.set(id, pending);
    this.wire?.send({ ...frame, topic, client_id: clientId, request_id: id });
  }

  #answer(frame: AckFrame | ErrorFrame): void {
    const { request_id: id } = frame;
    const pending = this.#pending.get(id);
    if (pending === undefined) throw new Error(`An answer to a request that was not made: ${JSON.stringify(frame)}`);
    this.#pending.delete(id);
    if (frame.type === "ack") pending.answered(frame);
    else if (frame.error.code !== "TOPIC_NOT_FOUND") throw new Error(`Refused: ${JSON.stringify(frame)}`);
  }

  #seatOf(topic: string | undefined): Seat {
    const seat = this.seats.find((one) => one.topic === topic);
    if (seat === undefined) throw new Error(`Sent something of ${topic}, which was never asked for`);
    return seat;
  }
}

/** One subscription, which begins with the stream and lasts as long. */
export class EventStreamSubscriber extends ReturningSubscriber {
  readonly #terms: Terms;
  readonly #seat: Seat;
  #asked: Made | undefined;
  #gapped = false;

  constructor(terms: Terms, seat: Seat, random: Random, books: Books) {
    super([seat], random, books);
    this.#terms = terms;
    this.#seat = seat;
  }

  get settled(): boolean {
    return this.wire !== undefined && this.#asked === undefined;
  }

  protected open(listener: Listener): Wire {
    const { topic, clientId, overflow } = this.#seat;
    this.#asked = this.#seat.wish(this.random);
    this.#gapped = false;
    const { since, last_n: lastN } = this.#asked.wish;
    const query = { client_id: clientId, overflow, queue: String(this.#terms.queue) };
    const request = {
      topic,
      query: lastN === undefined ? query : { ...query, last_n: String(lastN) },
      lastEventId: since === undefined ? undefined : `${since.epoch}:${since.seq}`,
    };
    return Wire.eventStream(this.#terms.port, request, listener);
  }

  protected opened(status: number): void {
    if (status !== 200 && status !== 404) throw new Error(`Answered ${status} in place of 200`);
  }

  protected frame(frame: Frame, id: string | undefined): void {
    const seat = this.#seat;
    if (frame.type === "event") seat.event(frame);
    else if (frame.type === "ack") this.#granted(frame);
    else if (frame.type === "error") seat.gap(slowConsumer(frame));
    else if (frame.type === "info") {
      if (frame.msg === "topic_deleted") seat.ended("deleted");
      if (frame.msg === "subscription_replaced") seat.ended("replaced");
    }
    const { epoch, seq } = seat.position ?? {};
    // The id does not pass a gap that one who asked to be disconnected may want to return to.
    if (frame.type === "error" && seat.overflow === "disconnect") this.#gapped = true;
    if (this.#gapped) return;
    if (id !== `${epoch}:${seq}`) throw new Error(`An event of id ${id} at position ${epoch}:${seq}`);
  }

  /** Its subscription cannot be changed; it may only leave it. */
  protected act(): void {
    this.leave();
  }

  protected lost(): void {
    if (this.#asked !== undefined) this.books.joinedUnheard(this.#seat.topic, this.#seat.clientId);
    this.#asked = undefined;
  }

  #granted(frame: AckFrame): void {
    if (this.#asked === undefined) throw new Error("A second ack on one stream");
    this.#seat.granted(this.#asked, frame);
    this.#asked = undefined;
  }
}

function slowConsumer(frame: ErrorFrame): ErrorFrame {
  if (frame.error.code === "SLOW_CONSUMER") return frame;
  throw new Error(`An error that nothing explains: ${JSON.stringify(frame)}`);
}
