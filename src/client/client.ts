import type { ServerFrame } from "../protocol/frames.ts";
import type { TokenSource } from "./authentication.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { callBack } from "./call-back.ts";
import { Connection, type ConnectionState } from "./connection.ts";
import { endpointsOf } from "./endpoints.ts";
import { PubSubError } from "./errors.ts";
import { fetchHistory, type HistoryOptions, type HistoryPage } from "./history.ts";
import { makeId } from "./make-id.ts";
import { Outbox, type Published } from "./outbox.ts";
import { jsonOf, payloadReader } from "./payloads.ts";
import { repaired } from "./repair.ts";
import { sleep } from "./sleep.ts";
import { ownSocket, type Socket } from "./socket.ts";
import type { SubscribeOptions } from "./subscribe-options.ts";
import { TopicSubscription, type Subscription } from "./subscription.ts";
import { Subscriptions } from "./subscriptions.ts";

export type ConnectOptions = {
  /** A key or a token, or what gets a token. A function is asked before each connection, and before its token expires. */
  token?: TokenSource | undefined;
  onState?: ((state: ConnectionState, cause: PubSubError | undefined) => unknown) | undefined;
  /** Gets what goes wrong where nobody waits for it, and what callbacks throw. Default: `console.error`. */
  onError?: ((cause: unknown) => unknown) | undefined;
  /**
   * How long to wait before the connection is made again, or what the server could not do for now is asked again. A server
   * that shuts down says so itself.
   */
  backoff?: BackoffOptions | undefined;
  /** How long the server may be silent before it is asked for a sign of life, and for how long it then may not answer. Default 15,000. */
  silenceMs?: number | undefined;
  /** How long a connection may take to be made. Default 10,000. */
  connectMs?: number | undefined;
  /** How many publishes may wait for their acks. Default 10,000. */
  maxPending?: number | undefined;
  /** How many characters their frames may have together. Default 16 Mi. */
  maxPendingCharacters?: number | undefined;
  /** Payloads are JSON as text, both ways, so that every digit stays. Types of topics then are `string`. */
  raw?: boolean | undefined;
  /** The class of WebSockets, where there is none by that name. Node 20 has it with `--experimental-websocket`. */
  WebSocket?: (new (url: string) => Socket) | undefined;
  /** Closes the client. */
  signal?: AbortSignal | undefined;
};

export type PublishOptions = {
  signal?: AbortSignal | undefined;
  /** The trace that the messages belong to (W3C Trace Context). */
  traceparent?: string | undefined;
};

/** What a topic's messages are, by its name. */
export type Topics = { [topic: string]: unknown };

/** RFC 6455 §7.4.1: a frame was too large. */
const TOO_LARGE = 1009;

/** A client of the server, with one connection for all that it does. See {@link connect}. */
export class Client<T extends object = Topics> {
  /** Resolves once the client is closed for good, with what closed it; undefined if it was `close`. */
  readonly closed: Promise<PubSubError | undefined>;
  readonly #options: ConnectOptions;
  readonly #base: string;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #subscriptions: Subscriptions;
  readonly #payloads: ReturnType<typeof payloadReader>;
  readonly #abort = () => void this.close();
  #noteClosed: (cause: PubSubError | undefined) => void = () => {};

  constructor(url: string, options: ConnectOptions) {
    const { maxPending = 10_000, maxPendingCharacters = 16 * 1024 * 1024, silenceMs = 15_000 } = options;
    const { socketUrl, base } = endpointsOf(url);
    this.#options = options;
    this.#base = base;
    this.#payloads = payloadReader(options.raw === true);
    this.closed = new Promise((resolve) => (this.#noteClosed = resolve));
    const { WebSocket: Class = ownSocket(), token, backoff, connectMs = 10_000, signal } = options;
    const openSocket = (at: string) => new Class(at);
    const settings = { url: socketUrl, token, silenceMs, connectMs, backoff, openSocket };
    this.#connection = new Connection(settings, {
      opened: () => this.#opened(),
      frame: (frame, text) => this.#received(frame, text),
      lost: (code) => this.#lost(code),
      stateChanged: (state, cause) => this.#stateChanged(state, cause),
      failed: this.#failed,
    });
    const limits = { messages: maxPending, characters: maxPendingCharacters };
    const send = (text: string) => this.#connection.send(text);
    const ports = { send, backoff, failed: this.#failed };
    this.#outbox = new Outbox(limits, ports);
    this.#subscriptions = new Subscriptions(ports);
    if (signal?.aborted === true) void this.close();
    else {
      signal?.addEventListener("abort", this.#abort);
      this.#connection.start();
    }
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** How many publishes wait for their acks. */
  get pending(): number {
    return this.#outbox.size;
  }

  /**
   * Subscribes to a topic, on this connection and all that follow it.
   *
   * @throws {PubSubError} `SUBSCRIBED` if it is subscribed to already, `CLOSED`
   */
  subscribe<K extends string & keyof T>(topic: K, options: SubscribeOptions<T[K]> = {}): Subscription<T[K]> {
    if (this.state === "closed") throw closed();
    const subscription = new TopicSubscription<T[K]>(topic, options.clientId ?? makeId(), options, {
      left: () => this.#subscriptions.left(subscription),
      repaired: (gap, signal) => {
        const backoff = new Backoff(this.#options.backoff);
        return repaired<T[K]>(gap, {
          fetch: (seq, until) => this.history(topic, { since: { epoch: gap.epoch, seq }, until, signal }),
          pause: () => sleep(backoff.next(), signal),
          isOver: () => this.state === "closed",
          failed: this.#failed,
        });
      },
      failed: this.#failed,
    });
    this.#subscriptions.add(subscription);
    if (options.signal?.aborted === true) subscription.close();
    return subscription;
  }

  /**
   * Publishes a message, now or when there is a connection again. If an ack is lost with its connection, or the server is
   * `UNAVAILABLE`, it is published again; the server has it once.
   *
   * Rejects with a {@link PubSubError}: `QUEUE_FULL`, `CLOSED`, or what the server answers; or with the signal's reason,
   * and then it may have been published.
   *
   * @param message.id a UUID; default: a random one
   */
  publish<K extends string & keyof T>(
    topic: K,
    payload: T[K],
    { id = makeId(), ...options }: PublishOptions & { id?: string | undefined } = {},
  ): Promise<Published> {
    return this.#publish(topic, () => `"message":${messageOf(id, payload, this.#options.raw)}`, [id], options);
  }

  /** Publishes several messages, all or none, in one frame. See {@link publish}. */
  publishBatch<K extends string & keyof T>(
    topic: K,
    messages: readonly { payload: T[K]; id?: string | undefined }[],
    options: PublishOptions = {},
  ): Promise<Published> {
    const ids = messages.map(({ id = makeId() }) => id);
    const encode = () => {
      const texts = messages.map(({ payload }, index) => messageOf(ids[index] ?? "", payload, this.#options.raw));
      return `"messages":[${texts.join(",")}]`;
    };
    return this.#publish(topic, encode, ids, options);
  }

  /** Reads a page of a topic's history. @throws {PubSubError} what the server answers, or `DISCONNECTED` */
  history<K extends string & keyof T>(topic: K, options: HistoryOptions = {}): Promise<HistoryPage<T[K]>> {
    return fetchHistory<T[K]>(this.#base, this.#connection.token, topic, options, this.#payloads.page);
  }

  /** Resolves once every publish so far is settled. */
  flush(): Promise<void> {
    return this.#outbox.flushed();
  }

  /** Ends everything: subscriptions end, what waits for an ack rejects with `CLOSED`. Resolves once the socket is closed. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  async #publish(topic: string, encode: () => string, ids: string[], { signal, traceparent }: PublishOptions) {
    if (this.state === "closed") throw closed();
    const rest = `${JSON.stringify({ topic, traceparent }).slice(1, -1)},${encode()}}`;
    return this.#outbox.publish({ topic, ids, rest, signal });
  }

  #stateChanged(state: ConnectionState, cause: PubSubError | undefined): void {
    if (state === "closed") {
      this.#options.signal?.removeEventListener("abort", this.#abort);
      this.#outbox.close(cause ?? closed());
      this.#subscriptions.end(cause);
      this.#noteClosed(cause);
    }
    const { onState } = this.#options;
    callBack(() => onState?.(state, cause), this.#failed);
    // A lost connection is made again; a credential that is refused is not mended by waiting.
    if (onState === undefined && cause !== undefined && cause.code !== "DISCONNECTED") this.#failed(cause);
  }

  #opened(): void {
    this.#subscriptions.opened();
    this.#outbox.opened();
  }

  #lost(code: number): void {
    this.#subscriptions.lost();
    this.#outbox.lost(code === TOO_LARGE);
  }

  #received(frame: ServerFrame, text: string): void {
    if (frame.type === "event") this.#subscriptions.event(frame.topic, this.#payloads.event(frame, text));
    else if (!this.#outbox.answered(frame)) this.#subscriptions.received(frame);
  }

  readonly #failed = (cause: unknown): void => {
    const { onError = console.error } = this.#options;
    callBack(
      () => onError(cause),
      () => {}, // There is nobody left to tell.
    );
  };
}

function closed(): PubSubError {
  return new PubSubError("CLOSED", "The client is closed");
}

function messageOf(id: string, payload: unknown, isRaw: boolean | undefined): string {
  return `{"id":${JSON.stringify(id)},"payload":${jsonOf(payload, isRaw === true)}}`;
}
