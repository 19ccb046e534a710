import { ProtocolError } from "../protocol/codes.ts";
import type { Overflow, Subscribed } from "../protocol/frames.ts";
import type { ResumeOutcome } from "../protocol/ledger.ts";
import type { Topic } from "./topic.ts";

/** What a subscriber may ask for besides the events published from now on. */
export type SubscribeOptions = {
  /** How many of the newest messages in history to replay. */
  last_n?: number | undefined;
  /** Replay everything after this position. */
  since?: { epoch: string; seq: number } | undefined;
  /** How many messages may wait for the subscriber. */
  queue?: number | undefined;
  overflow?: Overflow | undefined;
};

/** The `seq` that a replay starts after, if one was asked for. Throws `BAD_REQUEST` if `since` is ahead of the topic. */
export function replayStart(topic: Topic, { last_n = 0, since }: SubscribeOptions): number | undefined {
  const { epoch, log, historyStart } = topic;
  if (since === undefined) return last_n === 0 ? undefined : Math.max(log.newest - last_n, historyStart);
  if (since.epoch !== epoch) return historyStart;
  if (since.seq <= log.newest) return Math.max(since.seq, historyStart);
  const message = `There is no seq ${since.seq} in this epoch yet: the newest is ${log.newest}`;
  throw new ProtocolError("BAD_REQUEST", message, { topic: topic.name });
}

export function outcomeOf({ recovered, missed }: Pick<Subscribed, "recovered" | "missed">): ResumeOutcome {
  if (recovered === true) return "recovered";
  return missed === undefined ? "epoch_over" : "partial";
}

/** What the ack tells a subscriber that asked for everything after `since` and is sent everything after `from`. */
export function recoveryOf(
  topic: Topic,
  since: SubscribeOptions["since"],
  from: number,
): Pick<Subscribed, "recovered" | "missed"> {
  if (since === undefined) return {};
  if (since.epoch !== topic.epoch) return { recovered: false };
  if (since.seq >= from) return { recovered: true };
  return { recovered: false, missed: { first_seq: since.seq + 1, last_seq: from } };
}
