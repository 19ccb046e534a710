import type { Authenticator } from "../auth/authenticator.ts";
import type { Broker } from "../broker/broker.ts";
import type { Engine } from "../engine/engine.ts";
import type { AnswerBudget } from "../ops/answer-budget.ts";
import type { Clock } from "../ops/clock.ts";
import type { Logger } from "../ops/logger.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { NextTurn } from "../ops/next-turn.ts";
import type { PublishLimits } from "../ops/publish-limits.ts";
import type { Throttle } from "../ops/throttle.ts";
import type { BatchSizes } from "./batch-sizes.ts";
import type { PeerRegistry } from "./peer-registry.ts";

/** What every peer of a server shares. */
export type WebSocketPeerDeps = {
  registry: PeerRegistry;
  clock: Clock;
  metrics: Metrics;
  sizes: BatchSizes;
  throttle: Throttle;
  nextTurn: NextTurn;
  /** Bounds what all clients together leave unread of their answers. */
  budget: AnswerBudget;
  /** How much is sent to a client before a receipt is due; also the size of the kernel's send buffer, in bytes. */
  sendBufferBytes: number;
  /** How many requests of a client may be under way or wait. Beyond that it is read no further. */
  maxRequestsUnderWay: number;
};

/** What the transport needs besides. */
export type WebSocketDeps = WebSocketPeerDeps & {
  broker: Broker;
  engine: Engine;
  auth: Authenticator;
  /** How long a client has to show a credential, in milliseconds. */
  authTimeoutMs: number;
  log: Logger;
  publishLimits: PublishLimits;
  maxMessageBytes: number;
  /** Bounds what waits to be handled of all clients together. */
  waitingFrameBytes: number;
  /** Whether a heartbeat looks for dead connections. */
  heartbeats: boolean;
};
