import { CLOSE } from "../protocol/codes.ts";
import type { Holder, Subscription } from "./subscription.ts";

/** How many subscriptions of deleted topics are ended in one turn of the event loop. */
const ENDED_A_TURN = 32;

/**
 * Subscriptions of deleted topics, which are ended a few at a time, so that nobody else feels it: each is sent what its outlet
 * takes, told the rest as lost, and told that the topic is deleted. A connection that this leaves without any is closed.
 */
export class Orphans {
  readonly #soon: (work: () => void) => void;
  readonly #end: (orphan: Subscription) => void;
  readonly #left: Subscription[] = [];

  /**
   * @param soon runs its argument in the next turn of the event loop
   * @param end ends a subscription
   */
  constructor(soon: (work: () => void) => void, end: (orphan: Subscription) => void) {
    this.#soon = soon;
    this.#end = end;
  }

  /** Takes the subscriptions of a topic that was just deleted, and ends the first of them. */
  add(subscriptions: Iterable<Subscription>): void {
    const idle = this.#left.length === 0;
    for (const subscription of subscriptions) this.#left.push(subscription);
    if (idle) this.#endSome();
  }

  /** Ends at once those that the connection holds, before anything new begins on it: it is not closed for want of them. */
  endThoseOf(connection: Holder): void {
    if (this.#left.length === 0) return;
    for (const subscription of [...connection.subscriptions]) if (subscription.feed.deleted) this.#endOne(subscription);
  }

  #endSome(): void {
    try {
      for (let ended = 0; ended < ENDED_A_TURN; ended++) {
        const orphan = this.#left.pop();
        if (orphan === undefined) return;
        const { holder, outlet } = orphan;
        if (!holder.subscriptions.includes(orphan)) continue;
        this.#endOne(orphan);
        if (holder.subscriptions.length === 0) outlet.close(CLOSE.topicDeleted);
      }
    } finally {
      if (this.#left.length > 0) this.#soon(() => this.#endSome());
    }
  }

  #endOne(orphan: Subscription): void {
    this.#end(orphan);
    orphan.outlet.notice({ type: "info", msg: "topic_deleted", topic: orphan.feed.name });
  }
}
