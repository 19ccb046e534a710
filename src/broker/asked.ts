import { ProtocolError } from "../protocol/codes.ts";
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

/** The `seq` that a replay starts after, if one was asked for. */
export function startOf({ name, epoch, log, historyStart }: Topic, { last_n = 0, since }: Asked): number | undefined {
  if (since === undefined) return last_n === 0 ? undefined : Math.max(log.newest - last_n, historyStart);
  if (since.epoch !== epoch) return historyStart;
  if (since.seq <= log.newest) return Math.max(since.seq, historyStart);
  const message = `There is no seq ${since.seq} in this epoch yet: the newest is ${log.newest}`;
  throw new ProtocolError("BAD_REQUEST", message, { topic: name });
}

/** What is to be said to one who asked for all after a position, and is sent all after `from`. */
export function outcomeOf(topic: Topic, since: Position | undefined, from: number): Omit<Replay, "replay"> {
  if (since === undefined) return {};
  if (since.epoch !== topic.epoch) return { recovered: false };
  if (since.seq >= from) return { recovered: true };
  return { recovered: false, missed: { first_seq: since.seq + 1, last_seq: from } };
}
