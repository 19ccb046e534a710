import { topicText, type TopicText } from "../protocol/encode.ts";
import { Several } from "./crowd.ts";
import { Edition, type Readership } from "./edition.ts";
import type { Crowd, Outlet } from "./ports.ts";
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
  /** How many events may wait for one subscriber, at the most. */
  readonly queueLimit: number;
  readonly #maxHistory: number;
  readonly #subscriptions = new Map<string, Subscription>();
  /** By outlet, which is all that a flush touches of those in the pack. */
  readonly #pack = new Map<Outlet, Subscription>();
  /** The outlets of the pack, unless it may have changed since. */
  #flushedTo: Outlet | Crowd | undefined;
  readonly #stragglers = new Set<Subscription>();
  #edition: Edition | undefined;

  constructor(name: string, epoch: string, limits: { maxHistory: number; maxSubscriberQueue: number }) {
    this.name = name;
    this.text = topicText(name, epoch);
    this.epoch = epoch;
    this.queueLimit = limits.maxSubscriberQueue;
    this.#maxHistory = limits.maxHistory;
    this.log = new TopicLog(limits.maxHistory + limits.maxSubscriberQueue);
  }

  get subscriptions(): ReadonlyMap<string, Subscription> {
    return this.#subscriptions;
  }

  get stragglers(): Iterable<Subscription> {
    return this.#stragglers;
  }

  /** The newest event at the last flush: what is newer was offered to nobody yet. */
  get flushed(): number {
    return this.#edition?.over === false ? this.#edition.after : this.log.newest;
  }

  /** Whether what was published since the last flush takes no more. */
  get full(): boolean {
    return this.#edition?.full === true;
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

  fallBehind(outlet: Outlet, seq: number): void {
    this.#pack.get(outlet)?.standAt(seq);
  }

  /** Takes the event appended last into the current edition. Returns the edition if it is a new one, to be handed out. */
  issue(text: string): Edition | undefined {
    if (this.#edition?.over === false) {
      this.#edition.add(text);
      return undefined;
    }
    const pack = this.#stragglers.size === 0 ? this.#flushedTo : undefined;
    this.#edition = new Edition(this, pack, text, this.log.newest);
    return this.#edition;
  }

  /** To be called when a subscriber has come, gone, or is no more in the pack. */
  #changed(): void {
    this.#flushedTo = undefined;
    if (this.#edition !== undefined) this.#edition.pack = undefined;
  }
}
