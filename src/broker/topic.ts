import { topicText, type TopicText } from "../protocol/encode.ts";
import { Several } from "./crowd.ts";
import type { Editions, Readership } from "./editions.ts";
import { BATCH_BYTES, type Crowd, type Outlet } from "./ports.ts";
import type { Feed, Subscription } from "./subscription.ts";
import { TopicLog } from "./topic-log.ts";

/**
 * A topic: its log, and its subscribers by `client_id`.
 *
 * Nearly all subscribers stand at one place, the newest event of the last flush. They are the pack: a flush hands each the
 * same burst, and moves them on all at once. Only a straggler has a place of its own.
 */
export class Topic implements Feed, Readership {
  readonly name: string;
  readonly text: TopicText;
  /** Tells one life of the topic from another of the same name. */
  readonly epoch: string;
  readonly log: TopicLog;
  deleted = false;
  /** How many events may wait for one subscriber, at the most. */
  readonly queueLimit: number;
  readonly #maxHistory: number;
  readonly #subscriptions = new Map<string, Subscription>();
  /** By outlet, which is all that a flush touches of those in the pack. */
  readonly #pack = new Map<Outlet, Subscription>();
  /** The outlets of the pack, unless it may have changed since. */
  #flushedTo: Outlet | Crowd | undefined;
  readonly #stragglers = new Set<Subscription>();
  readonly #editions: Editions;
  /** The number of its newest edition, */
  #edition = -1;
  /** the `seq` before that, */
  #before = 0;
  /** and its size, in UTF-16 code units. */
  #size = 0;

  constructor(
    name: string,
    epoch: string,
    limits: { maxHistory: number; maxSubscriberQueue: number },
    editions: Editions,
  ) {
    this.name = name;
    this.text = topicText(name, epoch);
    this.epoch = epoch;
    this.queueLimit = limits.maxSubscriberQueue;
    this.#maxHistory = limits.maxHistory;
    this.log = new TopicLog(limits.maxHistory + limits.maxSubscriberQueue);
    this.#editions = editions;
  }

  get subscriptions(): ReadonlyMap<string, Subscription> {
    return this.#subscriptions;
  }

  get stragglers(): Iterable<Subscription> {
    return this.#stragglers;
  }

  /** The newest event at the last flush: what is newer was offered to nobody yet. */
  get flushed(): number {
    return this.#editions.isOut(this.#edition) ? this.log.newest : this.#before;
  }

  /** Whether what was published since the last flush takes no more. */
  get full(): boolean {
    return this.#size >= BATCH_BYTES && !this.#editions.isOut(this.#edition);
  }

  /** The `seq` before the oldest event of history, which is where a replay may start. */
  get historyStart(): number {
    return Math.max(this.log.oldest - 1, this.log.newest - this.#maxHistory);
  }

  add(subscription: Subscription): void {
    this.#subscriptions.set(subscription.clientId, subscription);
    this.#stragglers.add(subscription);
    this.#changed();
  }

  remove(subscription: Subscription): void {
    this.#subscriptions.delete(subscription.clientId);
    this.setApart(subscription);
    this.#stragglers.delete(subscription);
  }

  inPack(subscription: Subscription): boolean {
    return this.#pack.get(subscription.outlet) === subscription;
  }

  setApart(subscription: Subscription): void {
    if (!this.inPack(subscription)) return;
    this.#pack.delete(subscription.outlet);
    this.#stragglers.add(subscription);
    this.#changed();
  }

  passOver(outlet: Outlet): void {
    this.#pack.get(outlet)?.standAt(this.#before);
  }

  gather(): Outlet | Crowd {
    for (const straggler of this.#stragglers) {
      if (straggler.position !== this.flushed || !straggler.sole) continue;
      this.#stragglers.delete(straggler);
      this.#pack.set(straggler.outlet, straggler);
      this.#flushedTo = undefined;
    }
    this.#flushedTo ??= this.#crowd();
    return this.#flushedTo;
  }

  #crowd(): Outlet | Crowd {
    const outlets = [...this.#pack.keys()];
    const [first] = outlets;
    if (first !== undefined && outlets.length === 1) return first;
    return first?.crowd?.(outlets) ?? new Several(outlets);
  }

  /** Takes the event appended last into the current edition. */
  issue(text: string): void {
    if (this.#editions.isOut(this.#edition)) {
      const pack = this.#stragglers.size === 0 ? this.#flushedTo : undefined;
      this.#edition = this.#editions.begin(this, pack, text, this.log.newest);
      this.#before = this.log.newest - 1;
      this.#size = text.length;
    } else {
      this.#editions.add(this.#edition, text);
      this.#size += text.length;
    }
  }

  /** To be called when a subscriber has come, gone, or is no more in the pack. */
  #changed(): void {
    this.#flushedTo = undefined;
    this.#editions.repack(this.#edition);
  }
}
