import type { Broker } from "../broker/broker.ts";
import type { Connection } from "../broker/connection.ts";
import type { Outlet, Transport } from "../broker/ports.ts";
import type { Progress } from "../kernel/progress.ts";
import type { AnswerBudget } from "../ops/answer-budget.ts";
import type { Fields, Logger } from "../ops/logger.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { Throttle } from "../ops/throttle.ts";
import { CLOSE, limitExceeded, type Close } from "../protocol/codes.ts";
import type { Patient } from "./heartbeat.ts";

/** A client's connection, as all transports have it. */
export interface Client extends Outlet, Patient {
  readonly connection: Connection;
  /** Whether the kernel has taken everything that was sent; it is blocked from now on if not. */
  readonly sentAll: boolean;
  /** What waits in this process until the kernel takes it, in bytes. */
  readonly unsentBytes: number;
  /** Ends the connection as it was told to close, whatever the client has read. */
  finish(): void;
  /** Drops the connection, and what is unsent with it. */
  cut(): void;
}

export type ClientsDeps = {
  broker: Broker;
  metrics: Metrics;
  log: Logger;
  throttle: Throttle;
  maxConnections: number;
  /** What may be on its way to a client, in bytes. */
  sendBufferBytes: number;
  /** How long, in milliseconds, a client may take to read what it was sent before its connection is closed. */
  closeGraceMs: number;
  /** What all clients together may leave unread of their answers. */
  budget: AnswerBudget;
  /** Undefined where the system does not tell what has arrived. */
  progress: Progress | undefined;
  /** What those that are being closed may leave unsent, all together, in bytes. */
  closingBytes: number;
};

/** How many connections are closed for good in one turn of the event loop, so that nobody else feels it. */
const CLOSED_A_TURN = 16;

/** How often it is looked at what those have taken who are being closed, and do not say so, in milliseconds. */
const LOOK_MS = 500;

/** How long one that is being closed has to say by itself that it has read everything, in milliseconds. */
const SAY_SO_MS = 2000;

type Closing = { timer: ReturnType<typeof setTimeout>; bytes: number; since: number };

/**
 * Every client that is connected, by whatever transport: bounds their number, and takes leave of them.
 *
 * Who is to be closed stays connected until it has read what it was sent, or its grace is over. It counts as a connection
 * until then, but makes room for a new one where there is no other.
 */
export class Clients implements Iterable<Client> {
  readonly #deps: ClientsDeps;
  readonly #clients = new Set<Client>();
  /** Those that are to be closed, the longest waiting first. */
  readonly #closing = new Map<Client, Closing>();
  #closingBytes = 0;
  readonly #toFinish = new Set<Client>();
  #lookTimer: ReturnType<typeof setTimeout> | undefined;
  #stopping: (() => void) | undefined;
  readonly #ended = { told: 0, cutOff: 0 };

  constructor(deps: ClientsDeps) {
    this.#deps = deps;
  }

  [Symbol.iterator](): IterableIterator<Client> {
    return this.#clients.values();
  }

  get size(): number {
    return this.#clients.size;
  }

  /** How many were closed so far after they had read everything, and how many before that. */
  get ended(): { readonly told: number; readonly cutOff: number } {
    return { ...this.#ended };
  }

  /** How many are connected by `transport`, those that are being closed among them. */
  count(transport: Transport): number {
    let count = 0;
    for (const client of this.#clients) if (client.transport === transport) count++;
    for (const client of this.#closing.keys()) if (client.transport === transport) count++;
    return count;
  }

  connect(outlet: Outlet): Connection {
    return this.#deps.broker.connect(outlet);
  }

  /** Whether one client more is refused: nobody is being closed, who would make room. */
  get full(): boolean {
    return this.#clients.size >= this.#deps.maxConnections && this.#closing.size === 0;
  }

  /** Refuses one client more than there may be. */
  checkRoom(): void {
    const { maxConnections } = this.#deps;
    if (this.#clients.size + this.#closing.size < maxConnections) return;
    const [longest] = this.#closing.keys();
    if (longest === undefined) throw limitExceeded("MAX_CONNECTIONS", maxConnections);
    this.#cutOff(longest, "room was needed for a new connection");
    longest.cut();
  }

  add(client: Client): void {
    this.#clients.add(client);
    this.#deps.log.debug("connected", factsOf(client));
  }

  /** To be called when the client was blocked and is no more. */
  drained(client: Client): void {
    if (!this.#clients.has(client)) return;
    client.connection.drained();
    if (this.#stopping !== undefined && client.sentAll) this.#retire(client);
  }

  /** Runs `work` in the next turn of the event loop. */
  soon(work: () => void): void {
    setImmediate(() => {
      try {
        work();
      } catch (cause) {
        this.#deps.log.error("fault while a client was sent more", { cause });
      }
    });
  }

  /** To be called once the client's connection is closed. */
  gone(client: Client, reason: string): void {
    const { broker, log } = this.#deps;
    if (this.#clients.delete(client)) {
      log.debug("disconnected", { ...factsOf(client), reason });
      broker.disconnect(client.connection);
    } else this.#forget(client);
    if (this.#clients.size + this.#closing.size === 0) this.#stopping?.();
  }

  /** To be called when the client is to be closed, having been sent its last. */
  closing(client: Client, close: Close): void {
    const { broker, metrics, log, closeGraceMs, closingBytes } = this.#deps;
    metrics.closed(close);
    log.debug("closing", { ...factsOf(client), ...close });
    this.#clients.delete(client);
    broker.disconnect(client.connection);
    const timer = setTimeout(() => {
      this.#cutOff(client, "CLOSE_GRACE_MS is over");
      client.finish();
    }, closeGraceMs);
    const bytes = client.unsentBytes;
    this.#closing.set(client, { timer, bytes, since: performance.now() });
    this.#closingBytes += bytes;
    for (const [longest] of this.#closing) {
      if (this.#closingBytes <= closingBytes || longest === client) break;
      this.#cutOff(longest, "too much is unsent of all that are being closed");
      longest.cut();
    }
    if (this.#deps.progress !== undefined) this.#lookTimer ??= setTimeout(this.#lookLater, LOOK_MS);
  }

  /** To be called when a client that is to be closed has read everything. */
  received(client: Client): void {
    if (!this.#closing.has(client) || this.#toFinish.has(client)) return;
    this.#ended.told++;
    if (this.#toFinish.size === 0) this.soon(this.#finishSome);
    this.#toFinish.add(client);
  }

  /** What all clients together may leave unread of their answers. */
  get budget(): AnswerBudget {
    return this.#deps.budget;
  }

  /** How much a client may be sent between two times that it is asked what it has read, in UTF-16 code units. */
  get windowBytes(): number {
    return this.#deps.sendBufferBytes;
  }

  /** To be called when nothing more is read from a client until it has read its answers. */
  paused(client: Client): void {
    this.#deps.throttle.warn(
      "a client does not read its answers: nothing more is read from it until it does",
      factsOf(client),
    );
  }

  /** Closes one that gives no sign of life. */
  giveUp(client: Client): void {
    const { broker, throttle } = this.#deps;
    throttle.warn("no sign of life from a client through two heartbeats: closing its connection", factsOf(client));
    broker.retire(client.connection);
    client.close(CLOSE.noSignOfLife);
  }

  /**
   * Sends every client what is queued for it, says goodbye, and closes it.
   *
   * Resolves when all are closed, those that do not take what is queued at the end of `graceMs`.
   */
  async stop(graceMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stopping = resolve;
    for (const client of [...this.#clients]) if (client.sentAll) this.#retire(client);
    if (this.#clients.size + this.#closing.size === 0) return;
    const timer = setTimeout(() => {
      for (const client of [...this.#clients]) this.#retire(client);
      for (const client of [...this.#closing.keys()]) {
        this.#cutOff(client, "SHUTDOWN_GRACE_MS is over");
        client.finish();
      }
      resolve();
    }, graceMs);
    await promise;
    clearTimeout(timer);
  }

  #retire(client: Client): void {
    this.#deps.broker.retire(client.connection, "shutdown");
    client.notice({ type: "info", msg: "server_shutdown", retry_after_ms: this.#retryAfter() });
    client.close(CLOSE.shuttingDown);
  }

  /** Spread over the clients, so that a crowd does not come back at once. */
  #retryAfter(): number {
    const crowd = this.#clients.size + this.#closing.size;
    return Math.round(RETRY_MS + Math.random() * Math.max(2 * RETRY_MS, crowd / RETURNS_A_MS));
  }

  /** Closes those who do not answer a ping, as every client should, once their own systems have everything. */
  readonly #lookLater = (): void => {
    this.#lookTimer = this.#closing.size === 0 ? undefined : setTimeout(this.#lookLater, LOOK_MS);
    this.soon(() => this.#look());
  };

  #look(): void {
    const { progress } = this.#deps;
    const silent: Client[] = [];
    for (const [client, { since }] of this.#closing) {
      if (performance.now() - since < SAY_SO_MS) break;
      silent.push(client);
    }
    progress?.begin(silent.filter(({ look }) => look === undefined));
    for (const client of silent) {
      if (client.unsentBytes === 0 && progress?.arrived(client) === true) this.received(client);
    }
  }

  readonly #finishSome = (): void => {
    let left = CLOSED_A_TURN;
    for (const client of this.#toFinish) {
      this.#toFinish.delete(client);
      client.finish();
      if (--left === 0) break;
    }
    if (this.#toFinish.size > 0) this.soon(this.#finishSome);
  };

  /** Waits no longer for one that has not read everything. */
  #cutOff(client: Client, reason: string): void {
    if (!this.#forget(client)) return;
    this.#ended.cutOff++;
    this.#deps.log.debug("closed before it had read everything", { ...factsOf(client), reason });
  }

  #forget(client: Client): boolean {
    const closing = this.#closing.get(client);
    if (closing === undefined) return false;
    clearTimeout(closing.timer);
    this.#closingBytes -= closing.bytes;
    this.#closing.delete(client);
    if (this.#closing.size === 0) {
      clearTimeout(this.#lookTimer);
      this.#lookTimer = undefined;
    }
    return true;
  }
}

/** The shortest time after which a client is asked to come back, in milliseconds. */
const RETRY_MS = 1000;

/** How many clients may come back within a millisecond, on the average. */
const RETURNS_A_MS = 5;

/** Who a client is, for the log. */
export function factsOf({ transport, address, connection }: Client): Fields {
  const [subscription] = connection.subscriptions;
  const own = subscription && { topic: subscription.topic, client_id: subscription.clientId };
  return { transport, address, ...own };
}
