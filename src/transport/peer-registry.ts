import type { Broker } from "../broker/broker.ts";
import type { Transport } from "../broker/ports.ts";
import type { Logger } from "../ops/logger.ts";
import type { Metrics } from "../ops/metrics.ts";
import { limitExceeded, type Close } from "../protocol/codes.ts";
import type { Closing } from "./closing.ts";
import { factsOf, type ConnectedPeer } from "./connected-peer.ts";

export type PeerRegistryDeps = {
  broker: Broker;
  closing: Closing;
  metrics: Metrics;
  log: Logger;
  maxConnections: number;
};

/** What a shutdown is told. */
export type RegistryWatcher = { drained(peer: ConnectedPeer): void; emptied(): void };

/**
 * Every peer that is connected, by whatever transport, and the bound on their number.
 *
 * Those that are being closed count until they are gone, but make room for a new one where there is no other.
 */
export class PeerRegistry implements Iterable<ConnectedPeer> {
  readonly #deps: PeerRegistryDeps;
  readonly #peers = new Set<ConnectedPeer>();
  watcher: RegistryWatcher | undefined;

  constructor(deps: PeerRegistryDeps) {
    this.#deps = deps;
  }

  /** Those that are not being closed. */
  [Symbol.iterator](): IterableIterator<ConnectedPeer> {
    return this.#peers.values();
  }

  get size(): number {
    return this.#peers.size;
  }

  /** How many there are, those that are being closed among them. */
  get total(): number {
    return this.#peers.size + this.#deps.closing.size;
  }

  /** How many are connected by `transport`, those that are being closed among them. */
  count(transport: Transport): number {
    let count = 0;
    for (const peer of this.#peers) if (peer.transport === transport) count++;
    for (const peer of this.#deps.closing.peers) if (peer.transport === transport) count++;
    return count;
  }

  /** Whether one more is refused: nobody is being closed, who would make room. */
  get full(): boolean {
    return this.#peers.size >= this.#deps.maxConnections && this.#deps.closing.size === 0;
  }

  /** @throws {ProtocolError} `LIMIT_EXCEEDED` where there is no room for one more, and none can be made */
  checkRoom(): void {
    const { maxConnections, closing } = this.#deps;
    if (this.total < maxConnections || closing.makeRoom()) return;
    throw limitExceeded("MAX_CONNECTIONS", maxConnections);
  }

  add(peer: ConnectedPeer): void {
    this.#peers.add(peer);
    this.#deps.log.debug("connected", factsOf(peer));
  }

  /** To be called when the peer was blocked and is no more. */
  drained(peer: ConnectedPeer): void {
    if (!this.#peers.has(peer)) return;
    peer.session.drained();
    this.watcher?.drained(peer);
  }

  /** To be called when the peer is to be closed, having been sent its last. */
  closing(peer: ConnectedPeer, close: Close): void {
    const { broker, closing, metrics, log } = this.#deps;
    metrics.closed(close);
    log.debug("closing", { ...factsOf(peer), ...close });
    this.#peers.delete(peer);
    broker.end(peer.session, "gone");
    closing.add(peer);
  }

  /** To be called when a client that is to be closed has read everything. */
  received(peer: ConnectedPeer): void {
    this.#deps.closing.received(peer);
  }

  /** To be called once the peer's connection is closed. */
  gone(peer: ConnectedPeer, reason: string): void {
    const { broker, closing, log } = this.#deps;
    if (this.#peers.delete(peer)) {
      log.debug("disconnected", { ...factsOf(peer), reason });
      broker.end(peer.session, "gone");
    } else closing.remove(peer);
    if (this.total === 0) this.watcher?.emptied();
  }
}
