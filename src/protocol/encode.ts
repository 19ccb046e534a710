import { ERRORS, type ProtocolError } from "./codes.ts";
import type { Answer, Notice, Problem } from "./frames.ts";
import type { Message } from "./messages.ts";
import type { RawJson } from "./raw-json.ts";

/** One life of a topic, with the text that its frames have in common, encoded once. */
export type TopicText = {
  readonly topic: string;
  readonly epoch: string;
  /** The topic's name, as JSON. */
  readonly name: RawJson;
  /** The beginning of each event, up to its number. */
  readonly event: string;
  /** The fields that every ack of a publish has in common. */
  readonly ack: string;
};

export function topicText(topic: string, epoch: string): TopicText {
  const name = JSON.stringify(topic);
  return {
    topic,
    epoch,
    name,
    event: `{"type":"event","topic":${name},"seq":`,
    ack: `"topic":${name},"status":"ok","epoch":"${epoch}",`,
  };
}

/** Where a message stands in its topic, and when it was published. */
export type Place = { readonly seq: number; readonly ts: string };

/** The place of one publish in its topic: the messages `first` to `seq`, at the time `ts`. */
export type Published = Place & {
  readonly text: TopicText;
  readonly first: number;
  /** How many messages were published. */
  readonly count: number;
  /** Whether all of them were published before, and the place is that of the first time. */
  readonly duplicate: boolean;
};

/** Tells a subscriber of a gap: every event from `first` to `last`, both included. */
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

/** A problem document (RFC 9457 §3), with our code as an extension member (§3.2). */
export function problemOf({ code, message: detail }: ProtocolError): Problem {
  return { type: "about:blank", ...ERRORS[code], detail, code };
}

export function encodeNotice(notice: Notice, ts: string): string {
  return JSON.stringify({ ...notice, ts });
}

/** Encodes an answer to a request. `requestId` goes back as the text that came. */
export function encodeAnswer(answer: Answer, requestId: RawJson | undefined, ts: string): string {
  const { type, ...rest } = answer;
  const id = requestId === undefined ? "" : `"request_id":${requestId},`;
  return `{"type":"${type}",${id}${JSON.stringify({ ...rest, ts }).slice(1)}`;
}

/**
 * Encodes the ack of a publish, the only answer on the hot path.
 *
 * @param batch whether the messages came as a batch; the ack then says how many they are
 */
export function encodePublished(
  { text, first, seq, ts, count, duplicate }: Published,
  batch: boolean,
  requestId: RawJson | undefined,
): string {
  const head = requestId === undefined ? `{"type":"ack",` : `{"type":"ack","request_id":${requestId},`;
  const range = batch ? `"first_seq":${first},"count":${count},` : "";
  return `${head}${text.ack}${range}${duplicate ? '"duplicate":true,' : ""}"seq":${seq},"ts":"${ts}"}`;
}

/** Encodes an event, once, when it is published. Every subscriber is sent this text, live and on replay. */
export function encodeEvent(
  text: TopicText,
  seq: number,
  { id, payload }: Message,
  ts: string,
  traceparent?: string,
): string {
  const trace = traceparent === undefined ? "" : `"traceparent":"${traceparent}",`;
  return `${text.event}${seq}${TS_KEY}${ts}",${trace}"message":{"id":"${id}","payload":${payload}}}`;
}

const TS_KEY = ',"ts":"';

/** When an event was published, cut out of its text. */
export function tsOf(text: TopicText, event: string): string {
  const start = event.indexOf(TS_KEY, text.event.length) + TS_KEY.length;
  return event.slice(start, event.indexOf('"', start));
}

/** Room for the rest of an event, besides its topic, id and payload: number, time, trace, braces. */
const EVENT_ROOM = 168;

/** The most bytes that an event can take, computed without reading its payload. */
export function eventRoom(text: TopicText, { id, payload }: Message): number {
  return EVENT_ROOM + BYTES_A_UNIT * (text.event.length + id.length + payload.length);
}

/** The most bytes that UTF-8 takes for one UTF-16 code unit. */
const BYTES_A_UNIT = 3;

const MESSAGE_KEY = '"message":{';

/** An event as history shows it: number, time, id and payload, cut out of its text. */
function historyEntry(text: TopicText, event: string): string {
  const start = text.event.length - `"seq":`.length;
  const message = event.indexOf(MESSAGE_KEY, start);
  return `{${event.slice(start, message)}${event.slice(message + MESSAGE_KEY.length, -1)}`;
}

/** A part of a topic's history. */
export type History = {
  text: TopicText;
  /** The oldest and the newest message in history. If it is empty, `oldest` is `newest + 1`. */
  oldest: number;
  newest: number;
  events: readonly string[];
  /** The size of `events`, in UTF-16 code units. */
  size: number;
  /** Whether history has more of what was asked for. */
  more: boolean;
};

export function encodeHistory({ text, oldest, newest, events, more }: Omit<History, "size">): string {
  const entries = events.map((event) => historyEntry(text, event));
  const position = `"topic":${text.name},"epoch":"${text.epoch}","oldest_seq":${oldest},"seq":${newest}`;
  return `{${position},${more ? '"more":true,' : ""}"messages":[${entries.join(",")}]}`;
}
