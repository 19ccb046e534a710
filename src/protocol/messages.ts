import { z } from "zod";
import { lastMember, skipSpace, skipValue, type RawJson } from "./json-text.ts";
import { read, type Read } from "./read.ts";

/** A message to publish: `payload` is the text its publisher sent, not a value read from it. */
export type Message = { id: string; payload: RawJson };

/** `id`, or `message.id` of what its sender calls `message`. */
const fieldOf = (message: string, field: string) => (message === "" ? field : `${message}.${field}`);

const idOf = (message: string) => z.guid(`${fieldOf(message, "id")} must be a valid UUID`);

const payloadIn = (message: string) =>
  z.unknown().refine((value) => value !== undefined, `Missing '${fieldOf(message, "payload")}'`);

/** Schema of a message with an id of its own, as frames carry it. `name` is what its sender calls it. */
export function messageSchema(name: string, missing = `'${name}' must be an object`) {
  return z.object(
    { id: idOf(name), payload: payloadIn(name) },
    { error: ({ input }) => (input === undefined || input === null ? missing : `'${name}' must be an object`) },
  );
}

/** Schema of a message that may be given its id by the server. */
export function messageFormSchema(name: string) {
  return z.object({ id: idOf(name).nullish(), payload: payloadIn(name) }, `'${name}' must be an object`);
}

/** Messages that stand or fall together, before each of them is read. */
export const batch = z.array(z.unknown(), "'messages' must be an array").min(1, "'messages' must not be empty");

/**
 * A function that reads the elements of `messages`, up to the first that is not as `schemaOf` says. Where a client sends a
 * hundred thousand bad ones, the time to say so of each would be seconds.
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
  // after its value: no need to read what is before it, which halves the time to decode a small frame.
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
