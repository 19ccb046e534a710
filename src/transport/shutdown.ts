import type { Broker } from "../broker/broker.ts";
import type { Sockets } from "../kernel/sockets.ts";
import { CLOSE } from "../protocol/codes.ts";
import type { Closing } from "./closing.ts";
import type { ConnectedPeer } from "./connected-peer.ts";
import type { PeerRegistry } from "./peer-registry.ts";
import { untilClosed } from "./stream-ends.ts";

/** The shortest time after which a client is asked to come back, in milliseconds. */
const RETRY_MS = 1000;

/** How many clients may come back within a millisecond, on average. */
const RETURNS_A_MS = 5;

/** Says goodbye to all clients: each is sent what is queued for it, told of the shutdown, and closed. */
export class Shutdown {
  readonly #broker: Broker;
  readonly #registry: PeerRegistry;
  readonly #closing: Closing;
  readonly #sockets: Pick<Sockets, "find"> | undefined;

  /** @param sockets undefined if the system does not tell which connections are open */
  constructor(broker: Broker, registry: PeerRegistry, closing: Closing, sockets?: Pick<Sockets, "find">) {
    this.#broker = broker;
    this.#registry = registry;
    this.#closing = closing;
    this.#sockets = sockets;
  }

  /**
   * Resolves when all clients are closed, and Bun has handed over what event streams were sent. Clients that do not take what
   * is queued are closed after `graceMs`.
   */
  async run(graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs;
    const peers = [...this.#registry, ...this.#closing.peers];
    const streams = peers.flatMap(({ transport, remote }) =>
      transport === "sse" && remote !== undefined ? [remote] : [],
    );
    await this.#closeAll(graceMs);
    if (this.#sockets !== undefined) await untilClosed(this.#sockets, streams, deadline);
  }

  async #closeAll(graceMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const drained = (peer: ConnectedPeer) => {
      if (peer.sentAll) this.#sayGoodbye(peer);
    };
    this.#registry.watcher = { drained, emptied: resolve };
    for (const peer of [...this.#registry]) drained(peer);
    if (this.#registry.total === 0) return;
    const timer = setTimeout(() => {
      for (const peer of [...this.#registry]) this.#sayGoodbye(peer);
      for (const peer of [...this.#closing.peers]) this.#closing.finish(peer, "SHUTDOWN_GRACE_MS is over");
      resolve();
    }, graceMs);
    await promise;
    clearTimeout(timer);
  }

  #sayGoodbye(peer: ConnectedPeer): void {
    this.#broker.end(peer.session, "shutdown");
    peer.notice({ type: "info", msg: "server_shutdown", retry_after_ms: this.#retryAfter() });
    peer.close(CLOSE.shuttingDown);
  }

  /** When a client should come back. The time is random, so that not all clients come back at once. */
  #retryAfter(): number {
    return Math.round(RETRY_MS + Math.random() * Math.max(2 * RETRY_MS, this.#registry.total / RETURNS_A_MS));
  }
}
