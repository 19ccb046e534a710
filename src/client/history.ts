import type { Position } from "../protocol/frames.ts";
import { PubSubError } from "./errors.ts";
import { isGiven, type TopicEvent } from "./items.ts";
import { isFields, isMessage, isSeq, isText, parse } from "./read.ts";

/** The part of a topic's history that is asked for. Without `last` and `since` it is all of it. */
export type HistoryOptions = {
  /** How many of the newest messages. Excludes `since`. */
  last?: number | undefined;
  /** What came after this position. */
  since?: Position | undefined;
  /** Up to this `seq`, included. */
  until?: number | undefined;
  signal?: AbortSignal | undefined;
};

/** One page of a topic's history, oldest message first. */
export type HistoryPage<T = unknown> = {
  epoch: string;
  /** The oldest message that history has; `seq + 1` if it has none. */
  oldest_seq: number;
  /** The newest message. */
  seq: number;
  /** Whether there is more of what was asked for, after the last of `events`. */
  more: boolean;
  events: TopicEvent<T>[];
};

/** `GET /topics/{name}/messages` @throws {PubSubError} what the server answers, or `DISCONNECTED` */
export async function fetchHistory<T>(
  base: string,
  token: string | undefined,
  topic: string,
  { last, since, until, signal }: HistoryOptions,
  payloadsIn: (messages: readonly { id: string; payload: unknown }[], text: string) => unknown[],
): Promise<HistoryPage<T>> {
  const query = new URLSearchParams();
  if (last !== undefined) query.set("last_n", String(last));
  if (since !== undefined) query.set("since", `${since.epoch}:${since.seq}`);
  if (until !== undefined) query.set("until", String(until));
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const url = `${base}/topics/${encodeURIComponent(topic)}/messages?${query}`;
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, { headers, ...(signal && { signal }) });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    if (signal?.aborted === true) throw signal.reason;
    throw new PubSubError("DISCONNECTED", `Cannot read the history of '${topic}'`, cause);
  }
  const answer = parse(text);
  if (status !== 200) throw problemOf(status, answer);
  if (!isPage(answer)) throw new PubSubError("PROTOCOL", `Not a history of '${topic}'`);
  const { epoch, oldest_seq, seq, more = false, messages } = answer;
  const payloads = payloadsIn(messages, text);
  const events = messages.flatMap((message, index): TopicEvent<T>[] => {
    const payload = payloads[index];
    return isGiven<T>(payload) ? [{ type: "event", topic, epoch, ...message, payload }] : [];
  });
  return { epoch, oldest_seq, seq, more, events };
}

/** Codes that a problem document may carry here. Of any other status nothing is known. */
const CODES = [
  "BAD_REQUEST",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "NOT_FOUND",
  "TOPIC_NOT_FOUND",
  "EPOCH_OVER",
  "LIMIT_EXCEEDED",
  "INTERNAL",
  "SHUTTING_DOWN",
  "UNAVAILABLE",
] as const;

function problemOf(status: number, answer: unknown): PubSubError {
  const code = isFields(answer) ? CODES.find((one) => one === answer["code"]) : undefined;
  const detail = isFields(answer) && typeof answer["detail"] === "string" ? answer["detail"] : "";
  return new PubSubError(code ?? "DISCONNECTED", detail === "" ? `History was answered with ${status}` : detail);
}

type Page = {
  epoch: string;
  oldest_seq: number;
  seq: number;
  more?: boolean;
  messages: { seq: number; ts: string; id: string; payload: unknown }[];
};

function isPage(value: unknown): value is Page {
  if (!isFields(value) || !isText(value["epoch"]) || !isSeq(value["oldest_seq"]) || !isSeq(value["seq"])) return false;
  const { messages } = value;
  const isEntry = (entry: unknown) => isFields(entry) && isSeq(entry["seq"]) && isText(entry["ts"]) && isMessage(entry);
  return Array.isArray(messages) && messages.every(isEntry);
}
