import { z } from "zod";
import { lastMember, skipSpace, skipValue, type RawJson } from "./raw-json.ts";
import { read, type Read } from "./read.ts";

/** A message to publish: `payload` is the text its publisher sent, not a value read from it. */
export type Message = { id: string; payload: RawJson };

/** Messages that have their place in a topic: numbered from `first` on, published at `ts`. */
export type Placed = { readonly first: number; readonly ts: string; readonly messages: readonly Message[] };

/** Which part of a topic's history is asked for. */
export type HistoryRange = {
  /** The newest so many. */
  last_n?: number | undefined;
  /** All after this `seq`, of the present epoch where none is named. */
  since?: { epoch?: string; seq: number } | undefined;
  /** Up to this `seq`. */
  until?: number | undefined;
  epoch?: string | undefined;
  /** About how much, in UTF-16 code units; the event that crosses it still goes whole. */
  most: number;
};

/**
 * A function that reads the elements of `messages`, up to the first that is not as `schemaOf` says: of a hundred
 * thousand bad ones only the first is described.
 */
export function batchReader<T>(schemaOf: (name: string) => z.ZodType<T>): (elements: readonly unknown[]) => Read<T[]> {
  const schema = z.compile(schemaOf("messages[]"), { strict: true });
  return (elements) => {
    const content: T[] = [];
    for (const [index, element] of elements.entries()) {
      const one = read(schema, element);
      if (!one.ok) return read(z.array(schemaOf(`messages[${index}]`)), [element]);
      content.push(one.content);
    }
    return { ok: true, content };
  };
}

const PAYLOAD_KEY = '"payload"';
const COLON = 0x3a;

/**
 * The text of `message.payload` in a frame that is known to have one. Where a key is repeated the last one counts, as it
 * does for `JSON.parse`.
 *
 * @param plain whether no character of the text is escaped
 */
export function payloadOf(text: string, plain: boolean): RawJson {
  // In plain text a quoted word with a colon after it is a key. The first such key is the message's, unless another comes
  // after its value. So what is before it need not be read.
  const colon = skipSpace(text, text.indexOf(PAYLOAD_KEY) + PAYLOAD_KEY.length);
  if (plain && text.charCodeAt(colon) === COLON) {
    const start = skipSpace(text, colon + 1);
    const end = skipValue(text, start);
    if (text.indexOf(PAYLOAD_KEY, end) < 0) return text.slice(start, end);
  }
  return payloadAt(text, lastMember(text, skipSpace(text, 0), "message"));
}

/** The text of the payload of the message that is the whole document. */
export function solePayloadOf(text: string): RawJson {
  return payloadAt(text, skipSpace(text, 0));
}

/** `heads` with the texts of their payloads, from a document whose `messages` they were read from. */
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
