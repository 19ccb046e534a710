import { Authenticator } from "../../src/auth/authenticator.ts";
import type { Grant } from "../../src/auth/permissions.ts";
import type { Broker } from "../../src/broker/broker.ts";
import type { Look } from "../../src/kernel/progress.ts";
import { AnswerBudget } from "../../src/ops/answer-budget.ts";
import { Clock } from "../../src/ops/clock.ts";
import { Metrics } from "../../src/ops/metrics.ts";
import { nextTurn } from "../../src/ops/next-turn.ts";
import { PublishLimits } from "../../src/ops/publish-limits.ts";
import { Throttle } from "../../src/ops/throttle.ts";
import type { Close } from "../../src/protocol/codes.ts";
import { BatchSizes } from "../../src/transport/batch-sizes.ts";
import { Closing, type ClosingDeps } from "../../src/transport/closing.ts";
import type { ConnectedPeer } from "../../src/transport/connected-peer.ts";
import { PeerRegistry, type PeerRegistryDeps } from "../../src/transport/peer-registry.ts";
import { Shutdown } from "../../src/transport/shutdown.ts";
import type { Socket } from "../../src/transport/socket.ts";
import type { WebSocketPeerDeps } from "../../src/transport/websocket-deps.ts";
import { WebSocketPeer } from "../../src/transport/websocket-peer.ts";
import { FakePeer } from "./fake-peer.ts";
import { makeBroker, type BrokerOptions } from "./make-broker.ts";
import { FAULTLESS } from "./make-logger.ts";

/** Asks nobody for a credential. */
export const OPEN = new Authenticator({ keys: undefined, tokens: undefined });

/** Lets everything be published. */
export const UNLIMITED = new PublishLimits({ maxBatchMessages: 1e9, maxMessagesPerSecond: 0, maxBytesPerSecond: 0 });

/** Longer than any test. */
const LONG_MS = 3_600_000;

export type RegistryOptions = Partial<ClosingDeps & Omit<PeerRegistryDeps, "broker"> & WebSocketPeerDeps>;

/**
 * A broker and the registry of its peers. Each part that a test does not give is one that serves any test.
 *
 * @param ports the ports and limits of the broker
 */
export function makeRegistry(own: RegistryOptions = {}, ports: BrokerOptions = {}) {
  const { log = FAULTLESS, metrics = new Metrics() } = own;
  const broker = makeBroker({ metrics, ...ports });
  const shared = {
    nextTurn: nextTurn(log),
    throttle: new Throttle(log),
    clock: new Clock(),
    ...own,
    broker,
    metrics,
    log,
  };
  const closing = new Closing({ closeGraceMs: LONG_MS, saySoMs: 0, closingBytes: 1e6, progress: undefined, ...shared });
  const registry = new PeerRegistry({
    maxConnections: 100,
    maxConnectionsPerAddress: 100,
    unsentEventBytes: 1e9,
    closing,
    ...shared,
  });
  const shutdown = new Shutdown(broker, registry, closing);
  const deps: WebSocketPeerDeps = {
    registry,
    budget: new AnswerBudget(1e6),
    sizes: new BatchSizes(),
    sendBufferBytes: 262_144,
    maxRequestsUnderWay: 64,
    ...shared,
  };
  return {
    broker,
    metrics,
    registry,
    closing,
    shutdown,
    deps,
    /** A client that has connected. */
    connect: () => new FakeConnectedPeer(registry, broker),
    /** A WebSocket that has connected. */
    connectSocket: (socket: Socket) => {
      const peer = new WebSocketPeer(socket, deps, (self) => broker.connect(self));
      registry.add(peer);
      return peer;
    },
  };
}

/** A client who has read what it was sent as soon as its peer is not blocked. */
export class FakeConnectedPeer extends FakePeer implements ConnectedPeer {
  unanswered = 0;
  look: Look | undefined;
  readonly remote = { address: "127.0.0.1", port: 1 };
  unsentBytes = 0;
  readonly ending = undefined;
  /** How its connection has come to its end. */
  end: "finished" | "cut off" | undefined;
  readonly session;
  grant: Grant | undefined;
  readonly #registry: PeerRegistry;

  constructor(registry: PeerRegistry, broker: Broker) {
    super();
    this.#registry = registry;
    this.session = broker.connect(this);
    registry.add(this);
  }

  get sentAll(): boolean {
    return !this.blocked;
  }

  hold(): void {
    this.room = 0;
  }

  drained(): void {
    this.room = Number.POSITIVE_INFINITY;
    this.#registry.drained(this);
  }

  listen(): void {}
  ping(): void {}

  override close(close: Close): void {
    super.close(close);
    this.#registry.closing(this, close);
    if (!this.blocked) this.#registry.received(this);
  }

  finish(): void {
    this.#end("finished");
  }

  cut(): void {
    this.#end("cut off");
  }

  #end(end: "finished" | "cut off"): void {
    this.end ??= end;
    this.#registry.gone(this, end);
  }
}
