import { encodeEvent } from "../protocol/encode.ts";
import type { Placed } from "../protocol/messages.ts";
import { lagAll, type Fanout, type Readers } from "./fanout.ts";
import type { HistoryBudget } from "./history-budget.ts";
import type { BrokerPorts } from "./ports.ts";

/** Puts placed messages at the head of a topic's log, and has the next flush send them. */
export class Appender {
  readonly #ports: Pick<BrokerPorts, "flushing" | "metrics" | "wake">;
  readonly #budget: HistoryBudget;
  readonly #fanout: Fanout;
  readonly #flush: () => void;

  /** @param flush sends what is pending, and trims history */
  constructor(ports: BrokerPorts, budget: HistoryBudget, fanout: Fanout, flush: () => void) {
    this.#ports = ports;
    this.#budget = budget;
    this.#fanout = fanout;
    this.#flush = flush;
  }

  append(readers: Readers, { first, ts, messages, findable, traceparent }: Placed): void {
    const { topic, subscriptions } = readers;
    const { log, text } = topic;
    const jumps = first > log.newest + 1;
    if (jumps) this.#skipTo(readers, first - 1);
    const before = log.newest;
    let seq = first;
    let due = 0;
    for (const message of messages) {
      if (seq++ <= log.newest) continue;
      if (topic.full || this.#budget.over) {
        this.#ports.flushing();
        this.#flush();
      }
      due += subscriptions.size;
      const event = encodeEvent(text, log.newest + 1, message, ts, traceparent);
      this.#budget.append(log, event, findable ? message.id.toLowerCase() : undefined);
      this.#fanout.append(readers, event);
    }
    const added = log.newest - before;
    if (added === 0) return jumps ? this.#tellGap(readers) : undefined;
    this.#ports.metrics.due(due);
    this.#ports.wake(added, subscriptions.size);
  }

  /** Moves the head of a topic past events that the engine did not report. */
  #skipTo(readers: Readers, newest: number): void {
    this.#flush();
    lagAll(readers);
    this.#ports.metrics.due((newest - readers.topic.log.newest) * readers.subscriptions.size);
    this.#budget.skipTo(readers.topic.log, newest);
  }

  /** Has the next flush tell of a gap that nothing comes after yet. */
  #tellGap({ subscriptions }: Readers): void {
    for (const subscription of subscriptions.values()) if (subscription.pending) this.#fanout.enqueue(subscription);
    this.#ports.wake(0, subscriptions.size);
  }
}
