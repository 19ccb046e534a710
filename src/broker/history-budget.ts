import { sizeOf, type TopicLog } from "./log.ts";

/** How far below its bound a trim goes, so that a full history is not trimmed again at the next publish. */
const SLACK = 1 / 16;

/**
 * The bound on what all topics together keep: once it is passed, the oldest events of the largest topics go first.
 *
 * Replays that are still being sent are pinned apart from the logs, in up to half of the same bound.
 */
export class HistoryBudget {
  readonly #limit: number;
  readonly #logs = new Set<TopicLog>();
  #logged = 0;
  #pinned = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What logs and pinned replays take now, in bytes. */
  get used(): number {
    return this.#logged + this.#pinned;
  }

  get over(): boolean {
    return this.used > this.#limit;
  }

  add(log: TopicLog): void {
    this.#logs.add(log);
    this.#logged += log.bytes;
  }

  remove(log: TopicLog): void {
    if (this.#logs.delete(log)) this.#logged -= log.bytes;
  }

  append(log: TopicLog, text: string): number {
    const before = log.bytes;
    const seq = log.append(text);
    this.#logged += log.bytes - before;
    return seq;
  }

  /** Has the log go on after `newest`; see {@link TopicLog.skipTo}. */
  skipTo(log: TopicLog, newest: number): void {
    this.#logged -= log.bytes;
    log.skipTo(newest);
  }

  /** Takes the events `first` to `last` of `log` into a replay of their own, unless that half of the bound is used up. */
  pin(log: TopicLog, first: number, last: number): PinnedReplay | undefined {
    const texts: string[] = [];
    let bytes = 0;
    for (let seq = first; seq <= last; seq++) {
      const text = log.at(seq);
      bytes += sizeOf(text);
      if (this.#pinned + bytes > this.#limit / 2) return undefined;
      texts.push(text);
    }
    this.#pinned += bytes;
    return { first, texts, bytes };
  }

  unpin(replay: PinnedReplay): void {
    this.#pinned -= replay.bytes;
  }

  /**
   * Brings the logs back under the bound: each is cut to one common level, the highest that suffices. Returns how many events
   * that took.
   */
  trim(): number {
    const room = Math.max(0, this.#limit * (1 - SLACK) - this.#pinned);
    const logs = [...this.#logs].sort((a, b) => a.bytes - b.bytes);
    let left = room;
    let level = 0;
    for (const [index, log] of logs.entries()) {
      level = left / (logs.length - index);
      if (log.bytes > level) break;
      left -= log.bytes;
    }
    let events = 0;
    for (const log of logs) {
      if (log.bytes <= level) continue;
      const before = log.bytes;
      for (; log.bytes > level; events++) log.dropOldest();
      this.#logged += log.bytes - before;
    }
    return events;
  }
}

/** The events of one replay from `first` on, kept until it was sent, whatever the log overwrites meanwhile. */
export type PinnedReplay = { readonly first: number; readonly texts: readonly string[]; readonly bytes: number };
