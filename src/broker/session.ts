import { BATCH_BYTES, type Batch, type Peer, type Subscriber } from "./ports.ts";
import type { Subscription } from "./subscription.ts";

/**
 * The subscriptions of one peer. Those with something to send stand in line.
 *
 * They take turns, a batch each, so that a long replay on one topic does not hold up another.
 */
export class Session implements Batch {
  readonly peer: Peer;
  /** Whose it is, where that is known: nobody else takes over its subscriptions. */
  owner: string | undefined;
  readonly subscriptions: Subscription<Session>[] = [];
  readonly #line: Subscription<Session>[] = [];
  readonly #tooSlow: (subscription: Subscription<Session>) => void;

  /** @param tooSlow called for a subscription that asked to be disconnected, and would now lose events */
  constructor(peer: Peer, tooSlow: (subscription: Subscription<Session>) => void) {
    this.peer = peer;
    this.#tooSlow = tooSlow;
  }

  /** The subscription that names its client in the log. */
  get first(): Subscriber | undefined {
    return this.subscriptions[0];
  }

  /** The id that it subscribes under, and whose that is. */
  claim(clientId: string): { clientId: string; owner: string | undefined } {
    return { clientId, owner: this.owner };
  }

  add(subscription: Subscription<Session>): void {
    // Events of several topics go out in one batch, so each subscription needs a cursor of its own.
    for (const other of this.subscriptions) other.lag();
    this.subscriptions.push(subscription);
  }

  remove(subscription: Subscription<Session>): void {
    without(this.subscriptions, subscription);
    without(this.#line, subscription);
  }

  /** Puts a subscription in line for the next flush. Returns whether it is the only one there. */
  enqueue(subscription: Subscription<Session>): boolean {
    if (subscription.enqueued) return false;
    subscription.enqueued = true;
    return this.#line.push(subscription) === 1;
  }

  /** Sends what is in line, as far as the peer takes it. */
  flush(): void {
    while (this.#line.length > 0 && !this.peer.blocked) this.peer.batch(this);
    for (const subscription of [...this.#line]) {
      if (subscription.tooSlow) this.#tooSlow(subscription);
      else subscription.pin();
    }
  }

  /** Writes one batch. The peer calls it during {@link flush}. */
  write(): void {
    let budget = BATCH_BYTES;
    while (budget > 0 && !this.peer.blocked) {
      const subscription = this.#line.shift();
      if (subscription === undefined) return;
      subscription.enqueued = false;
      budget = subscription.write(budget);
      if (subscription.pending) this.enqueue(subscription);
    }
  }

  /** Call when the peer is no longer blocked. Drops what exceeds the queues, and sends the rest. */
  drained(): void {
    const pending = this.subscriptions.filter((subscription) => subscription.pending);
    for (const subscription of pending) subscription.applyOverflow();
    for (const subscription of pending) {
      if (subscription.tooSlow) this.#tooSlow(subscription);
      if (subscription.pending) this.enqueue(subscription);
    }
    this.flush();
  }

  /** Sends what waits for `subscription` at once, as far as the peer takes it. */
  send(subscription: Subscription<Session>): void {
    const { peer } = this;
    const all = { write: () => void subscription.write(BATCH_BYTES) };
    while (subscription.pending && !peer.blocked) peer.batch(all);
  }
}

function without<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
