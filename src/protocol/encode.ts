import type { ErrorCode } from "./codes.ts";
import type { RawJson } from "./json-text.ts";
import type { Message } from "./messages.ts";

/** Frames that no request asked for, and that every transport words in its own way. */
export type Notice =
  | { type: "info"; msg: "topic_deleted"; topic: string; reason?: "shutdown" }
  | { type: "info"; msg: "subscription_replaced"; topic: string }
  | { type: "info"; msg: "server_shutdown"; retry_after_ms: number }
  | { type: "info"; msg: "ping" }
  | { type: "error"; topic: string; error: Gap & { code: "SLOW_CONSUMER"; message: string } };

/** Events that a subscriber was not sent and will not be: every `seq` from first to last. */
export type Gap = { dropped: number; first_seq: number; last_seq: number };

/**
 * What the frames of a topic have in common, written once: a string is made, and later read as a whole, the faster the
 * fewer parts it has.
 */
export type TopicText = {
  /** The topic's name. */
  readonly name: RawJson;
  /** How each of its events begins, up to the number. */
  readonly event: string;
  /** The fields that each ack of a publish to it has. */
  readonly ack: string;
};

export function topicText(topic: string, epoch: string): TopicText {
  const name = JSON.stringify(topic);
  return {
    name,
    event: `{"type":"event","topic":${name},"seq":`,
    ack: `"topic":${name},"status":"ok","epoch":"${epoch}",`,
  };
}

/** What one publish put into a topic: the messages `first` to `seq`. */
export type Published = { topic: { text: TopicText; epoch: string }; first: number; seq: number };

/** A subscription that has begun: `seq` is the newest message at that moment. */
export type Subscribed = { topic: string; epoch: string; seq: number } & Replay;

/**
 * What a subscription begins with: `replay` events from history. Where a position was asked for it says whether all that
 * came after it follows, and if not what is missing for good, as far as that can be told.
 */
export type Replay = { replay: number; recovered?: boolean; missed?: { first_seq: number; last_seq: number } };

export type Answer =
  | { type: "ack"; topic: string; status: "ok" }
  | ({ type: "ack"; status: "ok" } & Subscribed)
  | { type: "error"; topic?: string | undefined; error: { code: ErrorCode; message: string } }
  | { type: "pong" };

/** The gap of every event from `first` to `last`, both included, as its subscriber is told. */
export function slowConsumer(topic: string, first: number, last: number): Notice {
  const dropped = last - first + 1;
  const events = dropped === 1 ? "1 event was" : `${dropped} events were`;
  const message = `Too slow: ${events} dropped, seq ${first} to ${last}`;
  return {
    type: "error",
    topic,
    error: { code: "SLOW_CONSUMER", message, dropped, first_seq: first, last_seq: last },
  };
}

export function encodeNotice(notice: Notice, ts: string): string {
  return JSON.stringify({ ...notice, ts });
}

/** An answer to a request, whose `request_id` goes back as the text that it came as. */
export function encodeAnswer(answer: Answer, requestId: RawJson | undefined, ts: string): string {
  const { type, ...rest } = answer;
  const id = requestId === undefined ? "" : `"request_id":${requestId},`;
  return `{"type":"${type}",${id}${JSON.stringify({ ...rest, ts }).slice(1)}`;
}

/**
 * The ack of a publish, the one answer on the hot path.
 *
 * @param batch whether the messages came as a batch, whose publisher is told how many they are
 */
export function encodePublished(
  { topic, first, seq }: Published,
  batch: boolean,
  requestId: RawJson | undefined,
  ts: string,
): string {
  const head = requestId === undefined ? `{"type":"ack",` : `{"type":"ack","request_id":${requestId},`;
  const range = batch ? `"first_seq":${first},"count":${seq - first + 1},` : "";
  return `${head}${topic.text.ack}${range}"seq":${seq},"ts":"${ts}"}`;
}

/** The one text of an event, made when it is published and sent as it is to every subscriber, now and on replay. */
export function encodeEvent(topic: TopicText, seq: number, { id, payload }: Message, ts: string): string {
  return `${topic.event}${seq},"ts":"${ts}","message":{"id":"${id}","payload":${payload}}}`;
}

/** Room for what stands in an event beside its topic, id and payload: number, time, braces. */
const EVENT_ROOM = 96;

/** The bytes that an event takes at the most, reckoned without reading its payload. */
export function eventRoom(topic: TopicText, { id, payload }: Message): number {
  return EVENT_ROOM + BYTES_A_UNIT * (topic.event.length + id.length + payload.length);
}

/** UTF-8 takes no more for one UTF-16 code unit. */
const BYTES_A_UNIT = 3;

const MESSAGE_KEY = '"message":{';

/** What history tells of an event: its number, time, id and payload, cut out of its text. */
function historyEntry(topic: TopicText, event: string): string {
  const start = topic.event.length - `"seq":`.length;
  const message = event.indexOf(MESSAGE_KEY, start);
  return `{${event.slice(start, message)}${event.slice(message + MESSAGE_KEY.length, -1)}`;
}

/** A part of a topic's history. */
export type History = {
  topic: { text: TopicText; epoch: string };
  /** The oldest message that history holds, and the newest; older than the oldest is none where it is empty. */
  oldest: number;
  newest: number;
  events: readonly string[];
  /** Whether more than these were asked for, and are there. */
  more: boolean;
};

export function encodeHistory({ topic, oldest, newest, events, more }: History): string {
  const entries = events.map((event) => historyEntry(topic.text, event));
  const position = `"topic":${topic.text.name},"epoch":"${topic.epoch}","oldest_seq":${oldest},"seq":${newest}`;
  return `{${position},${more ? '"more":true,' : ""}"messages":[${entries.join(",")}]}`;
}
