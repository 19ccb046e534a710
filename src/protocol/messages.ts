import { z } from "zod";
import { lastMember, skipSpace, skipValue, type RawJson } from "./json-text.ts";

/** A message to publish: `payload` is the text its publisher sent, not a value read from it. */
export type Message = { id: string; payload: RawJson };

type Place = { path?: PropertyKey[] | undefined };

/** Where in its document an issue is, as its sender would write it: `message.id`, `messages[1]`. */
function nameOf({ path = [] }: Place): string {
  return path.reduce<string>((name, key) => {
    if (typeof key === "number") return `${name}[${key}]`;
    return name === "" ? String(key) : `${name}.${String(key)}`;
  }, "");
}

const id = z.guid({ error: (issue: Place) => `${nameOf(issue)} must be a valid UUID` });
const payload = z.unknown().refine((value) => value !== undefined, {
  error: (issue: Place) => `Missing '${nameOf(issue)}'`,
});

const notAnObject = (issue: Place) => `'${nameOf(issue)}' must be an object`;

/** A message with an id of its own, as frames carry it. */
export const message = z.object(
  { id, payload },
  {
    error: (issue) => (issue.input === undefined || issue.input === null ? missing(issue) : notAnObject(issue)),
  },
);

/** A message that may be given an id by the server. */
export const messageForm = z.object({ id: id.nullish(), payload }, { error: notAnObject });

/** The messages of one publish that stand or fall together. */
export function batchOf<T extends z.ZodType>(element: T) {
  return z.array(element, "'messages' must be an array").min(1, "'messages' must not be empty");
}

function missing(issue: Place): string {
  const name = nameOf(issue);
  return name === "message" ? "Missing 'message' for publish" : notAnObject(issue);
}

const PAYLOAD_KEY = '"payload"';

/**
 * The text of `message.payload` in a frame that is known to have one. Where a key is repeated the last one counts, as it
 * does for `JSON.parse`.
 *
 * @param plain whether no character of the text is escaped
 */
export function payloadOf(text: string, plain: boolean): RawJson {
  // In plain text a quoted word that stands there once is the key that is known to be there: no need to read what is
  // before it, which halves the time to decode a small frame.
  const at = text.indexOf(PAYLOAD_KEY);
  if (plain && text.indexOf(PAYLOAD_KEY, at + 1) < 0) {
    const start = skipSpace(text, skipSpace(text, at + PAYLOAD_KEY.length) + 1);
    return text.slice(start, skipValue(text, start));
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
