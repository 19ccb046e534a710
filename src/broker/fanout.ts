import type { BrokerMetrics, BrokerObserver } from "./ports.ts";
import type { Session } from "./session.ts";
import type { Subscription } from "./subscription.ts";
import type { Topic } from "./topic.ts";

/** A topic, and its subscriptions by `client_id`. */
export type Readers = { readonly topic: Topic; readonly subscriptions: Map<string, Subscription<Session>> };

export type FanoutPorts = {
  readonly metrics: BrokerMetrics;
  readonly observer: BrokerObserver;
  /** Called for a subscription that asked to be disconnected instead of losing events, and would now lose some. */
  readonly tooSlow: (subscription: Subscription<Session>) => void;
};

/**
 * Sends what is due, in two cases. A subscription that is **caught up** gets the pending events of its topic, in one
 * call to its peer. One that is **lagging** is put in line, and its session sends it the events after its cursor.
 *
 * The invariant: a subscription that is caught up was sent everything up to `topic.flushed`, or told that it is lost,
 * and nothing after it. So all of them share one position, and a flush moves them by moving `topic.flushed`. Code that
 * moves `topic.flushed` in any other way must call {@link lagAll} first.
 */
export class Fanout {
  readonly #ports: FanoutPorts;
  /** Topics that have pending events. */
  #due: Readers[] = [];
  /** Sessions that have a subscription in line. */
  #inLine: Session[] = [];

  constructor(ports: FanoutPorts) {
    this.#ports = ports;
  }

  /** Marks an event as pending, after it was appended to the log of the topic. */
  append(readers: Readers, text: string): void {
    if (readers.topic.pend(text)) this.#due.push(readers);
  }

  /** Puts a subscription in line for the next flush. Returns false if its peer is blocked: it then waits for the drain. */
  enqueue(subscription: Subscription<Session>): boolean {
    if (subscription.peer.blocked) return false;
    if (subscription.session.enqueue(subscription)) this.#inLine.push(subscription.session);
    return true;
  }

  /** Sends what waits for a subscription that ends, as far as its peer takes it. It ends all the same if that throws. */
  finish(subscription: Subscription<Session>): void {
    try {
      subscription.session.send(subscription);
    } catch (cause) {
      this.#ports.observer.fault(cause);
    }
  }

  /** Sends everything that is pending or in line, as far as the peers take it. */
  flush(): void {
    const due = this.#due;
    this.#due = [];
    let delivered = 0;
    for (const readers of due) delivered += this.#flushTopic(readers);
    this.#ports.metrics.delivered(delivered);
    const sessions = this.#inLine;
    this.#inLine = [];
    for (const session of sessions) this.#flushSession(session);
  }

  /** Sends the pending events of one topic. Returns the number of deliveries: events times peers. */
  #flushTopic({ topic, subscriptions }: Readers): number {
    const before = topic.flushed;
    const texts = topic.takePending();
    let takers = 0;
    for (const subscription of subscriptions.values()) {
      const isCaughtUp =
        subscription.caughtUp || (subscription.position === before && subscription.session.subscriptions.length === 1);
      if (isCaughtUp && this.#send(subscription, texts, before + 1)) takers++;
      else this.#serve(subscription, before);
    }
    return takers * texts.length;
  }

  /** Sends pending events to a subscription that is caught up. Returns false if its peer is blocked or throws. */
  #send(subscription: Subscription<Session>, texts: readonly string[], first: number): boolean {
    const { peer } = subscription;
    if (peer.blocked) return false;
    try {
      peer.send(texts, first);
    } catch (cause) {
      this.#ports.observer.fault(cause);
      return false;
    }
    subscription.catchUp(texts.length);
    return true;
  }

  #serve(subscription: Subscription<Session>, before: number): void {
    if (subscription.caughtUp) subscription.lag(before);
    try {
      if (!subscription.peer.blocked) {
        if (subscription.pending) this.enqueue(subscription);
        return;
      }
      subscription.noteBacklog();
      if (subscription.tooSlow) this.#ports.tooSlow(subscription);
    } catch (cause) {
      this.#ports.observer.fault(cause);
    }
  }

  #flushSession(session: Session): void {
    try {
      session.flush();
    } catch (cause) {
      this.#ports.observer.fault(cause);
    }
  }
}

/** Gives every subscription of a topic a cursor of its own, before the head of the log jumps over a gap. */
export function lagAll({ subscriptions }: Readers): void {
  for (const subscription of subscriptions.values()) subscription.lag();
}
