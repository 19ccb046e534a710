import type { Broker } from "../broker/broker.ts";
import type { Connection } from "../broker/connection.ts";
import type { Outlet, Transport } from "../broker/ports.ts";
import type { Logger } from "../ops/logger.ts";
import type { Metrics } from "../ops/metrics.ts";
import { CLOSE, limitExceeded, type Close } from "../protocol/codes.ts";
import type { Patient } from "./heartbeat.ts";

/** A client's connection, as all transports have it. */
export interface Client extends Outlet, Patient {
  readonly connection: Connection;
  /** Whether the kernel has taken everything that was sent; it is blocked from now on if not. */
  readonly sentAll: boolean;
}

export type ClientsDeps = { broker: Broker; metrics: Metrics; log: Logger; maxConnections: number };

/** Every client that is connected, by whatever transport: bounds their number, and takes leave of them all. */
export class Clients implements Iterable<Client> {
  readonly #deps: ClientsDeps;
  readonly #clients = new Set<Client>();
  #stopping: (() => void) | undefined;

  constructor(deps: ClientsDeps) {
    this.#deps = deps;
  }

  [Symbol.iterator](): IterableIterator<Client> {
    return this.#clients.values();
  }

  count(transport: Transport): number {
    let count = 0;
    for (const client of this.#clients) if (client.transport === transport) count++;
    return count;
  }

  connect(outlet: Outlet): Connection {
    return this.#deps.broker.connect(outlet);
  }

  /** Refuses one client more than there may be. */
  checkRoom(): void {
    const { maxConnections } = this.#deps;
    if (this.#clients.size >= maxConnections) throw limitExceeded("MAX_CONNECTIONS", maxConnections);
  }

  add(client: Client): void {
    this.#clients.add(client);
  }

  /** To be called when the client was blocked and is no more. */
  drained(client: Client): void {
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
  gone(client: Client): void {
    if (!this.#clients.delete(client)) return;
    this.#deps.broker.disconnect(client.connection);
    if (this.#clients.size === 0) this.#stopping?.();
  }

  closed(close: Close): void {
    this.#deps.metrics.closed(close);
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
    if (this.#clients.size === 0) return;
    const timer = setTimeout(() => {
      for (const client of [...this.#clients]) this.#retire(client);
      resolve();
    }, graceMs);
    await promise;
    clearTimeout(timer);
  }

  #retire(client: Client): void {
    this.#deps.broker.retire(client.connection);
    client.notice({ type: "info", msg: "server_shutdown" });
    client.close(CLOSE.shuttingDown);
  }
}
