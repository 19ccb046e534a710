import type { TopicText } from "../protocol/encode.ts";
import { TopicLog } from "./log.ts";
import { BATCH_BYTES } from "./ports.ts";

/** One life of a topic: its log, and what of it is pending. */
export class Topic {
  readonly text: TopicText;
  readonly log: TopicLog;
  /** How many events may wait for one subscriber, at the most. */
  readonly queueLimit: number;
  /** Whether it is no topic any more: what was published before is still to be sent. */
  deleted = false;
  readonly #maxHistory: number;
  /** The newest events of the log: published, not yet flushed. */
  #pending: string[] = [];
  #pendingSize = 0;

  /** @param seq the newest message there was before */
  constructor(text: TopicText, seq: number, limits: { maxHistory: number; maxSubscriberQueue: number }) {
    this.text = text;
    this.queueLimit = limits.maxSubscriberQueue;
    this.#maxHistory = limits.maxHistory;
    this.log = new TopicLog(limits.maxHistory + limits.maxSubscriberQueue, seq);
  }

  get name(): string {
    return this.text.topic;
  }

  /** Tells one life of the topic from another of the same name. */
  get epoch(): string {
    return this.text.epoch;
  }

  /** The newest `seq` that was flushed: what is newer is pending. */
  get flushed(): number {
    return this.log.newest - this.#pending.length;
  }

  /**
   * Whether what is pending must be flushed before another event is appended: it makes a full batch, or one more might cost
   * a subscriber an event that its socket would have taken.
   */
  get full(): boolean {
    return this.#pendingSize >= BATCH_BYTES || this.#pending.length >= this.queueLimit;
  }

  /** The `seq` before the oldest event of history, which is where a replay may start. */
  get historyStart(): number {
    return Math.max(this.log.oldest - 1, this.log.newest - this.#maxHistory);
  }

  /** Takes note that the newest event of the log, `text`, is pending. Returns whether it is the only one. */
  pend(text: string): boolean {
    this.#pendingSize += text.length;
    return this.#pending.push(text) === 1;
  }

  /** What is pending, which counts as flushed from now on. */
  takePending(): readonly string[] {
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingSize = 0;
    return pending;
  }
}
