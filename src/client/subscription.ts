import type { EventFrame, Position, SubscribeFrame } from "../protocol/frames.ts";
import { callBack } from "./call-back.ts";
import { PubSubError, type ClientErrorCode } from "./errors.ts";
import { Inbox } from "./inbox.ts";
import { isGiven, positionAfter, type Gap, type GapReason, type Item } from "./items.ts";
import { readPosition } from "./read.ts";
import type { SubscribeOptions, SubscriptionState } from "./subscribe-options.ts";

export type SubscriptionPorts<T> = {
  /** Ends it at the server. */
  left(): void;
  /** Fetches what a gap lacks, as items that say the same range. `signal` says that nobody wants them any more. */
  repaired(gap: Gap, signal: AbortSignal): AsyncIterable<Item<T>>;
  failed(cause: unknown): void;
};

/** A subscription, as the connection sees it. */
export interface Resumable {
  readonly topic: string;
  readonly clientId: string;
  /** Whether the server has once accepted it. */
  readonly hasBegun: boolean;
  /** Whether its user learns of its end. */
  readonly isWatched: boolean;
  /** The frame that begins it, or goes on with it. */
  request(): SubscribeFrame;
  subscribed(ack: SubscribedAck): void;
  event(event: ReceivedEvent): void;
  /** The server dropped events, up to `last`. */
  dropped(last: number): void;
  /** The topic goes on in another epoch, after that position. What it had in the old one is not known. */
  epochChanged(to: Position): void;
  /** The connection is lost, the topic not there yet, or what gives it its order away. */
  wait(cause?: PubSubError): void;
  /** Ends it. Nothing more is handed out, nor fetched. */
  close(): void;
  /** Ends it, though the server may not know. What waits is still handed out. */
  end(cause: PubSubError | undefined): void;
}

/** An event, with a payload of which nothing is known yet. */
export type ReceivedEvent = Pick<EventFrame, "seq" | "ts" | "traceparent" | "message">;

type SubscribedAck = { epoch: string; base?: number | undefined; seq: number; replay: number };

/** How many events may wait here, if nothing else was asked for. */
const DEFAULT_QUEUE = 1000;

/**
 * A subscription to one topic. It outlives connections: each one resumes it after the last item that came. Events and
 * gaps come in their order. Leaving the loop ends the subscription.
 *
 * @example
 * for await (const item of client.subscribe("orders", { last: 10 })) {
 *   if (item.type === "event") console.log(item.payload);
 *   else console.log(`${item.first_seq} to ${item.last_seq} are missing`);
 * }
 */
export interface Subscription<T = unknown> extends AsyncIterable<Item<T>> {
  readonly topic: string;
  readonly clientId: string;
  readonly state: SubscriptionState;
  /** Where its reader stands: after the last event or gap that it was given. Undefined before the first. */
  readonly position: Position | undefined;
  /** Ends it. Nothing more is handed out. */
  close(): void;
}

export class TopicSubscription<T> implements Subscription<T>, Resumable {
  readonly topic: string;
  readonly clientId: string;
  readonly #options: SubscribeOptions<T>;
  readonly #ports: SubscriptionPorts<T>;
  readonly #inbox: Inbox<T>;
  readonly #abort = () => this.close();
  readonly #ended = new AbortController();
  /** The last item that came from the server. */
  #received: Position | undefined;
  /** The last item that was handed out. */
  #position: Position | undefined;
  #state: SubscriptionState = "subscribing";
  #cause: PubSubError | undefined;
  #waitsFor: ClientErrorCode | undefined;
  #hasBegun = false;
  #isRead = false;

  constructor(topic: string, clientId: string, options: SubscribeOptions<T>, ports: SubscriptionPorts<T>) {
    const { queue = DEFAULT_QUEUE, overflow = "drop_oldest", since, signal, onEvent, repair } = options;
    this.topic = topic;
    this.clientId = clientId;
    this.#options = options;
    this.#ports = ports;
    this.#inbox = new Inbox(queue, overflow);
    this.#received = since === undefined ? undefined : readPosition(since);
    this.#position = this.#received;
    signal?.addEventListener("abort", this.#abort);
    if (onEvent !== undefined && repair === true) void this.#handOut();
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  get isWatched(): boolean {
    const { onEvent, onState } = this.#options;
    return onState !== undefined || onEvent === undefined;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  get position(): Position | undefined {
    return this.#position;
  }

  close(): void {
    this.#inbox.clear();
    this.#ended.abort();
    if (this.#state === "ended") return;
    this.end(undefined);
    this.#ports.left();
  }

  [Symbol.asyncIterator](): AsyncIterator<Item<T>> {
    if (this.#options.onEvent !== undefined || this.#isRead) {
      throw new TypeError(`The subscription to '${this.topic}' has a reader already`);
    }
    this.#isRead = true;
    return this.#items();
  }

  request(): SubscribeFrame {
    const { last, overflow, queue } = this.#options;
    const start = this.#received === undefined ? { last_n: last } : { since: this.#received };
    return { type: "subscribe", topic: this.topic, client_id: this.clientId, overflow, queue, ...start };
  }

  subscribed({ epoch, base = 0, seq, replay }: SubscribedAck): void {
    const start = seq - replay;
    this.#inbox.expectReplay(replay);
    const before = this.#received;
    this.#hasBegun = true;
    this.#change("live");
    if (before?.epoch !== epoch) {
      this.#received = { epoch, seq: start };
      if (before === undefined) return void (this.#position ??= this.#received);
      this.#push(this.#gap(before.epoch, before.seq + 1, undefined, "epoch"));
      if (start > base) this.#push(this.#gap(epoch, base + 1, start, "missed"));
    } else if (start > before.seq) this.#skip(start, "missed");
  }

  event({ seq, ts, traceparent, message: { id, payload } }: ReceivedEvent): void {
    const at = this.#received;
    if (this.#state !== "live" || at === undefined || seq <= at.seq || !isGiven<T>(payload)) return;
    if (seq > at.seq + 1) this.#skip(seq - 1, "skipped");
    this.#received = { epoch: at.epoch, seq };
    this.#push({ type: "event", topic: this.topic, epoch: at.epoch, seq, ts, id, payload, traceparent });
  }

  dropped(last: number): void {
    if (this.#state === "live" && this.#received !== undefined && last > this.#received.seq) this.#skip(last, "slow");
  }

  epochChanged({ epoch, seq }: Position): void {
    const before = this.#received;
    if (this.#state !== "live" || before === undefined || before.epoch === epoch) return;
    this.#received = { epoch, seq };
    this.#push(this.#gap(before.epoch, before.seq + 1, undefined, "epoch"));
  }

  wait(cause?: PubSubError): void {
    if (this.#state !== "ended") this.#change("waiting", cause);
  }

  end(cause: PubSubError | undefined): void {
    if (this.#state === "ended") return;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#cause = cause;
    this.#inbox.end(cause);
    this.#change("ended", cause);
  }

  #skip(last: number, reason: GapReason): void {
    const at = this.#received;
    if (at === undefined) return;
    this.#received = { epoch: at.epoch, seq: last };
    this.#push(this.#gap(at.epoch, at.seq + 1, last, reason));
  }

  #gap(epoch: string, first_seq: number, last_seq: number | undefined, reason: GapReason): Gap {
    return { type: "gap", topic: this.topic, epoch, first_seq, last_seq, reason, status: "missing" };
  }

  #push(item: Item<T>): void {
    const { onEvent, repair } = this.#options;
    if (onEvent !== undefined && repair !== true) return this.#call(item);
    if (this.#inbox.push(item)) return;
    this.end(new PubSubError("SLOW_CONSUMER", `The reader of '${this.topic}' does not keep up`));
    this.#ports.left();
  }

  async *#items(): AsyncGenerator<Item<T>> {
    try {
      for (let item = await this.#inbox.take(); item !== undefined; item = await this.#inbox.take()) {
        for await (const one of this.#isToRepair(item) ? this.#ports.repaired(item, this.#ended.signal) : [item]) {
          this.#position = positionAfter(one);
          yield one;
        }
      }
    } catch (cause) {
      // Whoever closes it wants nothing more, and no error of what was being fetched.
      if (!this.#ended.signal.aborted) throw cause;
    } finally {
      this.close();
    }
  }

  #isToRepair(item: Item<T>): item is Gap {
    return item.type === "gap" && this.#options.repair === true && item.last_seq !== undefined;
  }

  async #handOut(): Promise<void> {
    try {
      for await (const item of this.#items()) this.#call(item);
    } catch (cause) {
      // `onState` was told the cause of the end.
      if (cause !== this.#cause) this.#ports.failed(cause);
    }
  }

  #call(item: Item<T>): void {
    this.#position = positionAfter(item);
    const { onEvent, onGap } = this.#options;
    callBack(() => (item.type === "event" ? onEvent?.(item) : onGap?.(item)), this.#ports.failed);
  }

  #change(state: SubscriptionState, cause?: PubSubError): void {
    // It may be refused again and again while its topic is away.
    if (state === "waiting" && this.#state === state && cause?.code === this.#waitsFor) return;
    this.#state = state;
    this.#waitsFor = cause?.code;
    callBack(() => this.#options.onState?.(state, cause), this.#ports.failed);
  }
}
