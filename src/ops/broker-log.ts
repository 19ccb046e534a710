import type { BrokerObserver, Subscriber } from "../broker/ports.ts";
import type { EndReason } from "../protocol/ledger.ts";
import { traceFacts } from "../protocol/trace.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";
import type { Throttle } from "./throttle.ts";

/** Writes what happens to subscribers into the log. */
export class BrokerLog implements BrokerObserver {
  readonly #log: Logger;
  readonly #throttle: Throttle;
  readonly #metrics: Metrics;

  constructor(log: Logger, throttle: Throttle, metrics: Metrics) {
    this.#log = log;
    this.#throttle = throttle;
    this.#metrics = metrics;
  }

  subscribed(subscriber: Subscriber): void {
    this.#metrics.subscribed();
    this.#log.debug("subscribed", facts(subscriber));
  }

  ended(subscriber: Subscriber, reason: EndReason): void {
    this.#metrics.ended(reason);
    this.#log.debug("subscription ended", { ...facts(subscriber), reason });
  }

  fellBehind(subscriber: Subscriber): void {
    this.#throttle.warn("a subscriber is too slow: its oldest events are dropped", facts(subscriber));
  }

  caughtUp(subscriber: Subscriber, dropped: number): void {
    this.#throttle.info("a subscriber that was too slow has caught up", { ...facts(subscriber), dropped });
  }

  trimmed(events: number, limit: number): void {
    this.#metrics.trimmed(events);
    this.#throttle.warn("history was trimmed: HISTORY_MEMORY_BYTES is reached", { events, limit });
  }

  fault(cause: unknown): void {
    this.#log.error("fault while a client was sent events", { cause });
  }
}

function facts({ topicName: topic, clientId, peer: { transport, address, traceparent } }: Subscriber) {
  return { topic, client_id: clientId, transport, address, ...traceFacts(traceparent) };
}
