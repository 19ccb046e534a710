import { BATCH_BYTES, type Batch, type Peer, type Subscriber } from "./ports.ts";
import type { Subscription } from "./subscription.ts";

/**
 * The subscriptions of one peer, and those of them that have something to send.
 *
 * They take turns, a batch each, so that a long replay on one topic does not hold up another.
 */
export class Session implements Batch {
  readonly peer: Peer;
  readonly subscriptions: Subscription<Session>[] = [];
  readonly #line: Subscription<Session>[] = [];
  readonly #tooSlow: (subscription: Subscription<Session>) => void;

  /** @param tooSlow called for a subscription that would rather be disconnected than lose what it now has queued */
  constructor(peer: Peer, tooSlow: (subscription: Subscription<Session>) => void) {
    this.peer = peer;
    this.#tooSlow = tooSlow;
  }

  /** The subscription that names its client in the log. */
  get first(): Subscriber | undefined {
    return this.subscriptions[0];
  }

  add(subscription: Subscription<Session>): void {
    // What the client is sent of several topics goes in one batch, so each of them is served by its own cursor.
    for (const other of this.subscriptions) other.lag();
    this.subscriptions.push(subscription);
  }

  remove(subscription: Subscription<Session>): void {
    without(this.subscriptions, subscription);
    without(this.#line, subscription);
  }

  /** Puts it in line for the next flush. Returns whether it is the first. */
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

  /** One batch. For the peer to call, through {@link flush}. */
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

  /** To be called when the peer is blocked no more: what fell out of the queues is let go, the rest sent. */
  drained(): void {
    const pending = this.subscriptions.filter((subscription) => subscription.pending);
    for (const subscription of pending) subscription.applyOverflow();
    for (const subscription of pending) {
      if (subscription.tooSlow) this.#tooSlow(subscription);
      if (subscription.pending) this.enqueue(subscription);
    }
    this.flush();
  }

  /** Sends what `subscription` waits for at once, as far as the peer takes it. */
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
