import { Refusal } from "../protocol/codes.ts";
import type { Replay } from "../protocol/encode.ts";
import type { Position } from "../protocol/event-stream.ts";
import type { Overflow } from "../protocol/frames.ts";
import type { Topic } from "./topic.ts";

/** What a subscriber may ask for besides what is published from now on. */
export type Asked = {
  /** Replay of so many of the newest messages in history. */
  last_n?: number | undefined;
  /** Replay of everything after this position. */
  since?: Position | undefined;
  /** How many messages may wait for it. */
  queue?: number | undefined;
  overflow?: Overflow | undefined;
};

/** The `seq` that a replay starts after, if one was asked for, and what is to be said of it. */
export function startOf(
  topic: Topic,
  { last_n: lastN = 0, since }: Asked,
): { after?: number; outcome?: Omit<Replay, "replay"> } {
  const { historyStart, log, epoch } = topic;
  if (since === undefined) return lastN === 0 ? {} : { after: Math.max(log.newest - lastN, historyStart) };
  if (since.epoch !== epoch) return { after: historyStart, outcome: { recovered: false } };
  if (since.seq > log.newest) {
    const message = `'since.seq' is ${since.seq}, and the newest in this epoch is ${log.newest}`;
    throw new Refusal("BAD_REQUEST", message, { topic: topic.name });
  }
  if (since.seq >= historyStart) return { after: since.seq, outcome: { recovered: true } };
  const missed = { first_seq: since.seq + 1, last_seq: historyStart };
  return { after: historyStart, outcome: { recovered: false, missed } };
}
