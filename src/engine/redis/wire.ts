import type { Message } from "../../protocol/messages.ts";

/** Separates fields: no name has such a character, and no JSON (RFC 8259 §7). */
export const SEPARATOR = "\u001e";

/** The characters of a UUID, which every entry begins with. */
const ID_LENGTH = 36;

/** Messages as a topic's channel brings them. */
export type Heard = {
  /** What their publisher marked them with. */
  readonly tag: string;
  readonly epoch: string;
  readonly first: number;
  readonly messages: readonly Message[];
} & Meta;

/** What the messages of one publish have in common. */
export type Meta = {
  /** Milliseconds since 1970 UTC. */
  readonly ms: number;
  readonly traceparent: string | undefined;
};

/** A message as the stream keeps it and the channel brings it: its id, then its payload. */
export function entryOf({ id, payload }: Message): string {
  return id + payload;
}

export function messageOf(entry: string): Message {
  return { id: entry.slice(0, ID_LENGTH), payload: entry.slice(ID_LENGTH) };
}

export function metaOf(text: string): Meta {
  const space = text.indexOf(" ");
  return { ms: Number(text.slice(0, space)), traceparent: text.slice(space + 1) || undefined };
}

/** Reads what a topic's channel brings. Returns undefined if it only says that the topic has changed. */
export function heardOf(text: string): Heard | undefined {
  if (!text.startsWith("e")) return undefined;
  const [tag = "", epoch = "", first, meta = "", ...entries] = text.split(SEPARATOR);
  return { tag: tag.slice(1), epoch, first: Number(first), messages: entries.map(messageOf), ...metaOf(meta) };
}
