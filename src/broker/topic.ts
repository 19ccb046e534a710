import { topicText, type TopicText } from "../protocol/encode.ts";
import { BATCH_BYTES, type Outlet } from "./ports.ts";
import type { Feed, Subscription } from "./subscription.ts";
import { TopicLog } from "./topic-log.ts";

/**
 * A topic: its log, and its subscribers by `client_id`.
 *
 * Nearly all subscribers stand at one place, the newest event of the last flush. They are the pack: a flush hands each the
 * same burst, and moves them on all at once. Only a straggler has a place of its own.
 */
export class Topic implements Feed {
  readonly name: string;
  readonly text: TopicText;
  /** Tells one life of the topic from another of the same name. */
  readonly epoch: string;
  readonly log: TopicLog;
  /** How many events may wait for one subscriber, at the most. */
  readonly queueLimit: number;
  readonly #maxHistory: number;
  readonly #subscriptions = new Map<string, Subscription>();
  // By outlet, so that a flush touches nothing else of a subscriber: of one event to each of 1000, every object more that
  // comes into the cache takes 0.1 µs of the 5.
  readonly #pack = new Map<Outlet, Subscription>();
  /** The keys of the pack, unless it has changed since. */
  #order: readonly Outlet[] | undefined;
  readonly #stragglers = new Set<Subscription>();
  #flushed = 0;

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

  /** Those that the next flush has to see to one by one. */
  get stragglers(): Iterable<Subscription> {
    return this.#stragglers;
  }

  /** The newest event at the last flush: what is newer was offered to nobody yet. */
  get flushed(): number {
    return this.#flushed;
  }

  /** The `seq` before the oldest event of history, which is where a replay may start. */
  get historyStart(): number {
    return Math.max(this.log.oldest - 1, this.log.newest - this.#maxHistory);
  }

  add(subscription: Subscription): void {
    this.#subscriptions.set(subscription.clientId, subscription);
    this.#stragglers.add(subscription);
  }

  remove(subscription: Subscription): void {
    this.#subscriptions.delete(subscription.clientId);
    this.#stragglers.delete(subscription);
    this.#leavePack(subscription);
  }

  inPack(subscription: Subscription): boolean {
    return this.#pack.get(subscription.outlet) === subscription;
  }

  setApart(subscription: Subscription): void {
    if (this.#leavePack(subscription)) this.#stragglers.add(subscription);
  }

  #leavePack(subscription: Subscription): boolean {
    if (!this.inPack(subscription)) return false;
    this.#order = undefined;
    return this.#pack.delete(subscription.outlet);
  }

  /**
   * Hands the pack what was published since the last flush. Whoever takes no more of it falls behind. Returns how many
   * events were handed out.
   */
  broadcast(): number {
    const order = this.#packed();
    const bursts = this.#bursts();
    let handed = 0;
    let outlet = order[0];
    let blocked = outlet?.blocked;
    for (let i = 1; outlet !== undefined; i++) {
      // Asked one ahead, so that the next outlet comes into the cache while the kernel is busy with this one: where each of
      // 1000 is sent one event, 0.65 µs a delivery outside the kernel instead of 0.80.
      const next = order[i];
      const nextBlocked = next?.blocked;
      const position = blocked ? this.#flushed : this.#hand(outlet, bursts);
      if (position < this.log.newest) this.#pack.get(outlet)?.standAt(position);
      handed += position - this.#flushed;
      outlet = next;
      blocked = nextBlocked;
    }
    this.#flushed = this.log.newest;
    return handed;
  }

  /** Hands over `bursts` as far as the outlet takes them, and returns the last `seq` of what it was handed. */
  #hand(outlet: Outlet, bursts: readonly (readonly string[])[]): number {
    let position = this.#flushed;
    for (const burst of bursts) {
      outlet.burst(burst, position + 1);
      position += burst.length;
      if (outlet.blocked) break;
    }
    return position;
  }

  /** The outlets of the pack, with those of the stragglers who have caught up. */
  #packed(): readonly Outlet[] {
    for (const straggler of this.#stragglers) {
      if (straggler.position !== this.#flushed || !straggler.sole) continue;
      this.#stragglers.delete(straggler);
      this.#pack.set(straggler.outlet, straggler);
      this.#order = undefined;
    }
    this.#order ??= [...this.#pack.keys()];
    return this.#order;
  }

  /** The events that no flush has seen yet, in batches. */
  #bursts(): string[][] {
    const { log } = this;
    // Arrays without room to grow: with one event and one subscriber on each of 10,000 topics the flush takes a third less.
    if (log.newest === this.#flushed + 1) return [[log.at(log.newest)]];
    let burst: string[] = [];
    const bursts = [burst];
    let size = 0;
    for (let seq = this.#flushed + 1; seq <= log.newest; seq++) {
      const text = log.at(seq);
      if (size > 0 && size + text.length > BATCH_BYTES) {
        burst = [];
        bursts.push(burst);
        size = 0;
      }
      burst.push(text);
      size += text.length;
    }
    return bursts;
  }
}
