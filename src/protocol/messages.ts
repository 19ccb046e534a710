import { lastMember, skipSpace, skipValue, type RawJson } from "./raw-json.ts";

/** A message to publish: `payload` is the text its publisher sent, not a value read from it. */
export type Message = { id: string; payload: RawJson };

/** Messages to publish, all or none. */
export type Publication = {
  readonly messages: readonly Message[];
  /** Whether those that history has already are not published again, if they were published with `dedupe`, too. */
  readonly dedupe: boolean;
  /** The trace that they belong to (W3C Trace Context). */
  readonly traceparent?: string | undefined;
};

/** Messages with their place in a topic: numbered from `first` on, published at `ts`. */
export type Placed = {
  readonly first: number;
  readonly ts: string;
  readonly messages: readonly Message[];
  /** Whether the broker can be asked for them by their id, as long as history has them. */
  readonly findable: boolean;
  readonly traceparent?: string | undefined;
};

/** The part of a topic's history that is asked for. */
export type HistoryRange = {
  /** How many of the newest messages. */
  last_n?: number | undefined;
  /** Everything after this `seq`, in the current epoch if none is named. */
  since?: { epoch?: string; seq: number } | undefined;
  /** Up to this `seq`, included. */
  until?: number | undefined;
  epoch?: string | undefined;
  /** About how much at most, in UTF-16 code units. The event that crosses it still goes whole. */
  most: number;
};

const PAYLOAD_KEY = '"payload"';
const COLON = 0x3a;

/**
 * The text of `message.payload` in a frame that is known to have one. If a key is repeated, the last one counts, as in
 * `JSON.parse`.
 *
 * @param plain whether the text has no escapes
 */
export function payloadOf(text: string, plain: boolean): RawJson {
  // Without escapes, a quoted word before a colon is a key. The first such key belongs to the message, unless another
  // comes after its value. So nothing before it needs to be read.
  const colon = skipSpace(text, text.indexOf(PAYLOAD_KEY) + PAYLOAD_KEY.length);
  if (plain && text.charCodeAt(colon) === COLON) {
    const start = skipSpace(text, colon + 1);
    const end = skipValue(text, start);
    if (text.indexOf(PAYLOAD_KEY, end) < 0) return text.slice(start, end);
  }
  return payloadAt(text, lastMember(text, skipSpace(text, 0), "message"));
}

/** The text of `payload` in a document that is one message. */
export function solePayloadOf(text: string): RawJson {
  return payloadAt(text, skipSpace(text, 0));
}

/** Adds their payloads' texts to `heads`, from the document whose `messages` they were read from. */
export function messagesOf(text: string, heads: readonly { id: string }[]): Message[] {
  let at = skipSpace(text, lastMember(text, skipSpace(text, 0), "messages") + 1);
  return heads.map(({ id }) => {
    const message = { id, payload: payloadAt(text, at) };
    const comma = skipSpace(text, skipValue(text, at));
    at = skipSpace(text, comma + 1);
    return message;
  });
}

function payloadAt(text: string, message: number): RawJson {
  const start = lastMember(text, message, "payload");
  return text.slice(start, skipValue(text, start));
}
