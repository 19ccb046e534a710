import { CLOSE } from "../protocol/codes.ts";
import type { Session } from "./session.ts";
import type { Subscription } from "./subscription.ts";

/** How many subscriptions of deleted topics end in one turn of the event loop. */
const ENDED_A_TURN = 32;

export type DeletionPorts = {
  /** Runs `work` in the next turn of the event loop. */
  readonly soon: (work: () => void) => void;
  readonly end: (subscription: Subscription<Session>) => void;
};

/**
 * Ends the subscriptions of deleted topics, a few in each turn, so that other clients do not wait. Closes a connection
 * that has no subscription left.
 */
export class Deletions {
  readonly #ports: DeletionPorts;
  readonly #left: Subscription<Session>[] = [];

  constructor(ports: DeletionPorts) {
    this.#ports = ports;
  }

  /** Those that have not ended yet, and some that have meanwhile for another reason. */
  get left(): Iterable<Subscription<Session>> {
    return this.#left;
  }

  /** Takes the subscriptions of a deleted topic. Ends some of them now, unless others are still waiting. */
  add(subscriptions: Iterable<Subscription<Session>>): void {
    const idle = this.#left.length === 0;
    for (const subscription of subscriptions) this.#left.push(subscription);
    if (idle) this.#endSome();
  }

  /** Ends those of one session now, before it subscribes anew. Its connection then stays open. */
  endThoseOf(session: Session): void {
    if (this.#left.length === 0) return;
    for (const subscription of [...session.subscriptions]) {
      if (subscription.topic.deleted) this.#ports.end(subscription);
    }
  }

  #endSome(): void {
    try {
      for (let ended = 0; ended < ENDED_A_TURN; ended++) {
        const subscription = this.#left.pop();
        if (subscription === undefined) return;
        const { session, peer } = subscription;
        if (!session.subscriptions.includes(subscription)) continue;
        this.#ports.end(subscription);
        if (session.subscriptions.length === 0) peer.close(CLOSE.topicDeleted);
      }
    } finally {
      if (this.#left.length > 0) this.#ports.soon(() => this.#endSome());
    }
  }
}
