import { BATCH_BYTES, type Batch, type Outlet } from "./ports.ts";
import type { Holder, Subscription } from "./subscription.ts";

/**
 * One client's connection: the subscriptions it holds, and those of them that have something to send.
 *
 * They take turns, a batch each, so that a long replay on one topic does not hold up another.
 */
export class Connection implements Holder, Batch {
  readonly outlet: Outlet;
  readonly subscriptions: Subscription[] = [];
  readonly #line: Subscription[] = [];

  readonly #tooSlow: (subscription: Subscription) => void;

  /** @param tooSlow called for a subscription that would rather be disconnected than lose what it now has queued */
  constructor(outlet: Outlet, tooSlow: (subscription: Subscription) => void) {
    this.outlet = outlet;
    this.#tooSlow = tooSlow;
  }

  add(subscription: Subscription): void {
    // What the client is sent of several topics goes in one batch, and so none of them by way of its topic's pack.
    for (const other of this.subscriptions) other.standAt(other.position);
    this.subscriptions.push(subscription);
  }

  enqueue(subscription: Subscription): boolean {
    if (subscription.enqueued) return false;
    subscription.enqueued = true;
    return this.#line.push(subscription) === 1;
  }

  fill(): void {
    while (this.#line.length > 0 && !this.outlet.blocked) this.outlet.batch(this);
    for (const subscription of [...this.#line]) {
      if (subscription.tooSlow) this.#tooSlow(subscription);
      else subscription.hold();
    }
  }

  /** One batch. For the outlet to call, through {@link fill}. */
  write(): void {
    let budget = BATCH_BYTES;
    while (budget > 0 && !this.outlet.blocked) {
      const subscription = this.#line.shift();
      if (subscription === undefined) return;
      budget = subscription.write(budget);
      if (subscription.pending) this.#line.push(subscription);
      else subscription.enqueued = false;
    }
  }

  /** To be called when the outlet is blocked no more: what fell out of the queues is settled, the rest sent. */
  drained(): void {
    const pending = this.subscriptions.filter((subscription) => subscription.pending);
    for (const subscription of pending) subscription.settle();
    for (const subscription of pending) {
      if (subscription.tooSlow) this.#tooSlow(subscription);
      if (subscription.pending) this.enqueue(subscription);
    }
    this.fill();
  }

  send(subscription: Subscription): void {
    const { outlet } = this;
    const all = { write: () => void subscription.write(BATCH_BYTES) };
    while (subscription.pending && !outlet.blocked) outlet.batch(all);
  }

  finish(subscription: Subscription): void {
    this.send(subscription);
    subscription.abandon();
    without(this.subscriptions, subscription);
    without(this.#line, subscription);
  }

  /** Lets go of every subscription, without a word: the client is gone. */
  clear(): void {
    for (const subscription of this.subscriptions) subscription.discard();
    this.subscriptions.length = 0;
    this.#line.length = 0;
  }
}

function without<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
