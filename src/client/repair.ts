import { PubSubError } from "./errors.ts";
import type { HistoryPage } from "./history.ts";
import type { Gap, Item } from "./items.ts";

/** What history answers when it cannot have the events any more, now or later. */
const GONE: readonly string[] = ["EPOCH_OVER", "TOPIC_NOT_FOUND", "NOT_FOUND"];
/** What it answers as long as it is asked with this credential, or in this way. */
const REFUSED: readonly string[] = ["UNAUTHORIZED", "FORBIDDEN", "BAD_REQUEST", "PROTOCOL"];

export type RepairPorts<T> = {
  /** A page of what came after `since`, up to `until`. */
  fetch(since: number, until: number): Promise<HistoryPage<T>>;
  /** Waits before another try. Rejects when nobody wants the events any more. */
  pause(): Promise<void>;
  /** Whether no other try may go better. */
  isOver(): boolean;
  failed(cause: unknown): void;
};

/**
 * Fetches what a gap lacks: the events that history has, after each run of them a gap that is `filled`, and for what
 * history has not one that is `lost`. If the server refuses, the rest stays `missing`.
 */
export async function* repaired<T>(gap: Gap, ports: RepairPorts<T>): AsyncGenerator<Item<T>> {
  const { first_seq, last_seq = first_seq - 1 } = gap;
  const part = (first: number, last: number, status: Gap["status"]): Gap[] =>
    first > last ? [] : [{ ...gap, first_seq: first, last_seq: last, status }];
  /** The first that was not told yet, and the first that was not fetched yet. */
  let told = first_seq;
  let next = first_seq;
  while (next <= last_seq) {
    const page = await ask(next - 1, last_seq, ports);
    if (typeof page === "string") {
      yield* part(told, next - 1, "filled");
      return yield* part(next, last_seq, page);
    }
    for (const event of page.events) {
      if (event.seq < next) continue;
      if (event.seq > next) {
        yield* part(told, next - 1, "filled");
        yield* part(next, event.seq - 1, "lost");
        told = event.seq;
      }
      next = event.seq + 1;
      yield event;
    }
    if (!page.more) break;
  }
  yield* part(told, next - 1, "filled");
  yield* part(next, last_seq, "lost");
}

async function ask<T>(
  since: number,
  until: number,
  ports: RepairPorts<T>,
): Promise<HistoryPage<T> | "lost" | "missing"> {
  while (true) {
    try {
      return await ports.fetch(since, until);
    } catch (cause) {
      if (!(cause instanceof PubSubError)) throw cause;
      if (GONE.includes(cause.code)) return "lost";
      if (REFUSED.includes(cause.code)) {
        ports.failed(cause);
        return "missing";
      }
      if (ports.isOver()) return "missing";
      await ports.pause();
    }
  }
}
