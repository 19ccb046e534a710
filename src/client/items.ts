import type { Position, SeqRange } from "../protocol/frames.ts";

/** A message, as a subscriber gets it. */
export type TopicEvent<T = unknown> = {
  type: "event";
  topic: string;
  epoch: string;
  /** Its number. It goes up by one with each message of an epoch; another epoch may have the same number. */
  seq: number;
  /** When it was published, ISO 8601 UTC. */
  ts: string;
  id: string;
  payload: T;
  /** The trace that it belongs to (W3C Trace Context), if its publisher named one. */
  traceparent?: string | undefined;
};

/**
 * Why events are missing:
 *
 * - `slow`: the server dropped them, because this client did not take them in time;
 * - `missed`: history had lost them when the client came back;
 * - `skipped`: the subscription asked for the latest only;
 * - `queue`: they were dropped here, because the reader of the iterator did not take them in time;
 * - `epoch`: the topic began another life. What came in the old one after `first_seq - 1` is not known.
 */
export type GapReason = "slow" | "missed" | "skipped" | "queue" | "epoch";

/**
 * Events from `first_seq` to `last_seq`, both included, that a subscriber does not get in their turn. `last_seq` is
 * undefined if nobody knows how many they are, or whether there were any.
 *
 * `status` says where they are: `missing` for good, as far as this library was asked; with `repair` either `filled`,
 * so that they came just before this, or `lost`, because history has them no more.
 */
export type Gap = Omit<SeqRange, "last_seq"> & {
  type: "gap";
  topic: string;
  epoch: string;
  last_seq: number | undefined;
  reason: GapReason;
  status: "missing" | "filled" | "lost";
};

/** What a subscription hands out. Within an epoch positions never go back. */
export type Item<T = unknown> = TopicEvent<T> | Gap;

/** Where a subscriber stands after an item. */
export function positionAfter(item: Item): Position {
  if (item.type === "event") return { epoch: item.epoch, seq: item.seq };
  return { epoch: item.epoch, seq: item.last_seq ?? item.first_seq - 1 };
}

/** What the payloads of a topic are is the user's word. Nothing here could check it. */
export function isGiven<T>(_payload: unknown): _payload is T {
  return true;
}
