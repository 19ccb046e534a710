import type { TopicText } from "../protocol/encode.ts";
import type { Ledger } from "../protocol/ledger.ts";
import { emptyLedger } from "../protocol/ledger.ts";
import { TopicLog } from "./log.ts";
import { BATCH_BYTES } from "./ports.ts";

/** One life of a topic: its log and its pending events. */
export class Topic {
  readonly text: TopicText;
  readonly log: TopicLog;
  /** The `seq` that this epoch begins after: 0, unless the topic had one before. */
  readonly base: number;
  /** How many events may wait for one subscriber, at most. */
  readonly queueLimit: number;
  /** Whether the topic was deleted. What was published before is still sent. */
  deleted = false;
  readonly #maxHistory: number;
  /** The newest events of the log, published but not yet flushed. */
  #pending: string[] = [];
  #pendingSize = 0;
  #ended: Ledger | undefined;

  /** @param seq what it begins after */
  constructor(text: TopicText, seq: number, limits: { maxHistory: number; maxSubscriberQueue: number }) {
    this.text = text;
    this.base = seq;
    this.queueLimit = limits.maxSubscriberQueue;
    this.#maxHistory = limits.maxHistory;
    this.log = new TopicLog(limits.maxHistory + limits.maxSubscriberQueue, seq);
  }

  /** What became of the events of the subscriptions that have ended. Most topics have none. */
  get ended(): Ledger {
    return (this.#ended ??= emptyLedger());
  }

  get name(): string {
    return this.text.topic;
  }

  /** Distinguishes this life of the topic from others of the same name. */
  get epoch(): string {
    return this.text.epoch;
  }

  /** The newest `seq` that was flushed. Later events are pending. */
  get flushed(): number {
    return this.log.newest - this.#pending.length;
  }

  /**
   * Whether the pending events must be flushed before another is appended: they fill a batch, or one more might cost a
   * subscriber an event that its socket would have taken.
   */
  get full(): boolean {
    return this.#pendingSize >= BATCH_BYTES || this.#pending.length >= this.queueLimit;
  }

  /** The `seq` before the oldest event in history: the earliest start of a replay from history. */
  get historyStart(): number {
    return Math.max(this.log.oldest - 1, this.log.newest - this.#maxHistory);
  }

  /** Marks `text`, the newest event of the log, as pending. Returns whether it is the only one. */
  pend(text: string): boolean {
    this.#pendingSize += text.length;
    return this.#pending.push(text) === 1;
  }

  /** Returns the pending events, which count as flushed from now on. */
  takePending(): readonly string[] {
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingSize = 0;
    return pending;
  }
}
