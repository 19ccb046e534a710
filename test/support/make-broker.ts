import { Broker } from "../../src/broker/broker.ts";
import type { BrokerLimits, BrokerObserver, BrokerPorts } from "../../src/broker/ports.ts";
import type { SubscribeOptions } from "../../src/broker/recovery.ts";
import type { Session } from "../../src/broker/session.ts";
import { MemoryEngine, type MemoryEngineLimits } from "../../src/engine/memory.ts";
import { Metrics } from "../../src/ops/metrics.ts";
import type { Published } from "../../src/protocol/encode.ts";
import type { Subscribed } from "../../src/protocol/frames.ts";
import type { Message } from "../../src/protocol/messages.ts";
import type { NodeInfo } from "../../src/protocol/nodes.ts";

export type Limits = BrokerLimits & MemoryEngineLimits;

/** Limits that a test may go by where it is not about them. */
export const LIMITS: Limits = {
  maxHistory: 10,
  maxSubscriberQueue: 10,
  maxTopics: 10,
  maxSubscriptionsPerConnection: 10,
  historyMemoryBytes: 1e6,
  maxMessageBytes: 1e9,
  autoCreateTopics: true,
};

export const SILENT: BrokerObserver = {
  subscribed: () => {},
  ended: () => {},
  fellBehind: () => {},
  caughtUp: () => {},
  trimmed: () => {},
  fault: (cause) => {
    throw cause;
  },
};

/** A node that is there for nobody to look at. */
export const NODE: NodeInfo = {
  id: "node",
  host: "host",
  pid: 1,
  port: 1,
  version: "1",
  started_at: "2026-01-01T00:00:00.000Z",
  connections: 0,
  subscriptions: 0,
};

export type BrokerOptions = { limits?: Partial<Limits>; makeEpoch?: () => string } & Partial<BrokerPorts>;

/** A broker with an engine of its own, which answers plainly. */
export class BrokerAndEngine extends Broker {
  readonly engine: MemoryEngine;
  /** The time that the next publish is dated with. */
  now = "now";

  constructor(limits: Limits, ports: BrokerPorts, makeEpoch: () => string) {
    super(limits, ports);
    const clock = { iso: () => this.now };
    this.engine = new MemoryEngine(limits, { broker: this, clock, makeEpoch, node: () => NODE, published: () => {} });
  }

  createTopic(name: string): void {
    this.engine.createTopic(name);
  }

  deleteTopic(name: string): void {
    this.engine.deleteTopic(name);
  }

  publish(
    name: string,
    messages: readonly Message[],
    accepted?: (published: Published) => void,
    dedupe = false,
  ): Published {
    let placed: Published | undefined;
    this.engine.publish(name, { messages, dedupe }, (published) => {
      placed = published;
      accepted?.(published);
    });
    if (placed === undefined) throw new Error("Not accepted");
    return placed;
  }

  override subscribe(session: Session, name: string, clientId: string, options?: SubscribeOptions): Subscribed {
    const begin = () => super.subscribe(session, name, clientId, options);
    return this.engine.subscribe(name, { clientId, owner: session.owner }, { check: () => {}, begin });
  }
}

/**
 * A broker whose flushes a test runs by itself, and whose epochs are all `e`. What is put off is done at once. A fault is
 * thrown.
 */
export function makeBroker({ limits, makeEpoch = () => "e", ...ports }: BrokerOptions = {}): BrokerAndEngine {
  return new BrokerAndEngine(
    { ...LIMITS, ...limits },
    {
      wake: () => {},
      flushing: () => {},
      soon: (work) => work(),
      left: () => {},
      metrics: new Metrics(),
      observer: SILENT,
      ...ports,
    },
    makeEpoch,
  );
}
