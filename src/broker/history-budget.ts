import { sizeOf, type TopicLog } from "./log.ts";

/** The part of the bound that a trim leaves free, so that the next publish does not trim again. */
const SLACK = 1 / 16;

/**
 * Bounds the history of all topics together. Over the bound, the largest topics lose their oldest events first.
 *
 * Replays that are still being sent are pinned apart from the logs. They may take up to half of the same bound.
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

  /** The memory that logs and pinned replays take now, in bytes. */
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

  append(log: TopicLog, text: string, key?: string): number {
    const before = log.bytes;
    const seq = log.append(text, key);
    this.#logged += log.bytes - before;
    return seq;
  }

  /** Makes the log continue after `newest`; see {@link TopicLog.skipTo}. */
  skipTo(log: TopicLog, newest: number): void {
    this.#logged -= log.bytes;
    log.skipTo(newest);
  }

  /** Pins the events `first` to `last` of `log`. Returns undefined if pinned replays would exceed half of the bound. */
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
   * Brings the logs back under the bound. Cuts each to one common size, the largest that suffices. Returns how many
   * events were dropped.
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

/** The events of one replay, from `first` on. They are kept until they are sent, even if the log overwrites them. */
export type PinnedReplay = { readonly first: number; readonly texts: readonly string[]; readonly bytes: number };
