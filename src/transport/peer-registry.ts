import type { Broker } from "../broker/broker.ts";
import type { Transport } from "../protocol/frames.ts";
import type { Logger } from "../ops/logger.ts";
import { ENDINGS } from "../ops/connection-endings.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { NextTurn } from "../ops/next-turn.ts";
import type { Throttle } from "../ops/throttle.ts";
import { limitExceeded, type Close } from "../protocol/codes.ts";
import { AddressCounts } from "./address-counts.ts";
import type { Closing } from "./closing.ts";
import { factsOf, type ConnectedPeer } from "./connected-peer.ts";
import { Unsent } from "./unsent.ts";

export type PeerRegistryDeps = {
  broker: Broker;
  closing: Closing;
  metrics: Metrics;
  log: Logger;
  maxConnections: number;
  /** From one address. */
  maxConnectionsPerAddress: number;
  /** Of all peers together. */
  unsentEventBytes: number;
  nextTurn: NextTurn;
  throttle: Throttle;
};

/** What a shutdown is told by the registry. */
export type RegistryWatcher = { drained(peer: ConnectedPeer): void; emptied(): void };

/**
 * All connected peers, whatever their transport, and the bound on their number.
 *
 * Peers that are being closed count until they are gone. Where there is no other room, one makes way for a new peer.
 */
export class PeerRegistry implements Iterable<ConnectedPeer> {
  readonly #deps: PeerRegistryDeps;
  readonly #peers = new Set<ConnectedPeer>();
  readonly #addresses: AddressCounts;
  /** Those that have yet to show a credential, and the timers that wait for it. */
  readonly #strangers = new Map<ConnectedPeer, ReturnType<typeof setTimeout>>();
  watcher: RegistryWatcher | undefined;
  readonly unsent: Unsent;

  constructor(deps: PeerRegistryDeps) {
    this.#deps = deps;
    this.unsent = new Unsent({ ...deps, peers: this, limit: deps.unsentEventBytes });
    this.#addresses = new AddressCounts(deps.maxConnectionsPerAddress);
  }

  /** The peers that are not being closed. */
  [Symbol.iterator](): IterableIterator<ConnectedPeer> {
    return this.#peers.values();
  }

  get size(): number {
    return this.#peers.size;
  }

  /** How many peers there are, including those that are being closed. */
  get total(): number {
    return this.#peers.size + this.#deps.closing.size;
  }

  /** How many peers are connected by `transport`, including those that are being closed. */
  count(transport: Transport): number {
    let count = 0;
    for (const peer of this.#peers) if (peer.transport === transport) count++;
    for (const peer of this.#deps.closing.peers) if (peer.transport === transport) count++;
    return count;
  }

  /** Whether one more peer is refused: there is no room, and no peer is being closed that could make some. */
  get full(): boolean {
    const { closing, maxConnections } = this.#deps;
    return this.#peers.size >= maxConnections && closing.size + this.#strangers.size === 0;
  }

  /** Makes room for one more peer. @throws {ProtocolError} `LIMIT_EXCEEDED` if it cannot */
  checkRoom(address: string | undefined): void {
    const { maxConnections, closing } = this.#deps;
    this.#addresses.checkRoom(address);
    if (this.total < maxConnections || closing.makeRoom() || this.#dropStranger()) return;
    throw limitExceeded("MAX_CONNECTIONS", maxConnections);
  }

  /** Takes note of a peer that has yet to show its credential: where there is no room, the longest waiting makes some. */
  addStranger(peer: ConnectedPeer, timer: ReturnType<typeof setTimeout>): void {
    this.#strangers.set(peer, timer);
  }

  /** Call when it has shown its credential, or is gone. Returns whether it was a stranger. */
  removeStranger(peer: ConnectedPeer): boolean {
    clearTimeout(this.#strangers.get(peer));
    return this.#strangers.delete(peer);
  }

  #dropStranger(): boolean {
    const [longest] = this.#strangers.keys();
    if (longest === undefined) return false;
    this.removeStranger(longest);
    longest.cut();
    return true;
  }

  add(peer: ConnectedPeer): void {
    this.#peers.add(peer);
    this.#addresses.add(peer, peer.address);
    this.#deps.metrics.opened(peer.transport);
    this.#deps.log.debug("connected", factsOf(peer));
  }

  /** Call when the peer is no longer blocked. */
  drained(peer: ConnectedPeer): void {
    if (!this.#peers.has(peer)) return;
    peer.session.drained();
    this.watcher?.drained(peer);
  }

  /** Call when the peer is being closed, and is sent nothing more of its subscriptions. */
  closing(peer: ConnectedPeer, close: Close): void {
    const { broker, closing, metrics, log } = this.#deps;
    metrics.closed({ side: "server", cause: close.reason });
    log.debug("closing", { ...factsOf(peer), ...close });
    this.#peers.delete(peer);
    broker.end(peer.session, "disconnected");
    closing.add(peer);
  }

  /** Call when a client that is being closed has read everything. */
  received(peer: ConnectedPeer): void {
    this.#deps.closing.received(peer);
  }

  /** Call once the peer's connection is closed. */
  gone(peer: ConnectedPeer, reason: string): void {
    const { broker, closing, metrics, log } = this.#deps;
    this.#addresses.remove(peer);
    this.unsent.forget(peer);
    this.removeStranger(peer);
    if (this.#peers.delete(peer)) {
      metrics.closed(peer.ending ?? ENDINGS.lost);
      log.debug("disconnected", { ...factsOf(peer), reason });
      broker.end(peer.session, "disconnected");
    } else closing.remove(peer);
    if (this.total === 0) this.watcher?.emptied();
  }
}
