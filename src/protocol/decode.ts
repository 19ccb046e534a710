import type { z } from "zod";
import { messagesOf, payloadOf, type Message, type Publication } from "./messages.ts";
import { lastMember, skipSpace, skipValue, type RawJson } from "./raw-json.ts";
import { batchReader, describe, parseJson, read, shorten, type Read } from "./read.ts";
import { FRAMES, message as messageSchema, topicName } from "./schema.ts";

type Subscribe = z.infer<typeof FRAMES.subscribe>;
type Unsubscribe = z.infer<typeof FRAMES.unsubscribe>;
type Ping = z.infer<typeof FRAMES.ping>;
type Auth = z.infer<typeof FRAMES.auth>;
export type Publish = Publication & {
  type: "publish";
  topic: string;
  /** Whether they came as `messages`. The ack then says how many they are. */
  batch: boolean;
  /** Whether to acknowledge them. */
  ack: boolean;
};
/** A client's frame, checked. Its payloads stay the text that came. */
export type Request = Subscribe | Unsubscribe | Publish | Ping | Auth;

/** A decoded frame, or what is wrong with it and as much of its envelope as could be read. */
export type Decoded =
  | { ok: true; request: Request; requestId: RawJson | undefined }
  | { ok: false; problem: string; requestId: RawJson | undefined; topic: string | undefined };

/** What a binary frame comes to. */
export const BINARY_FRAME: Decoded = {
  ok: false,
  problem: "A frame must be JSON text, not binary",
  requestId: undefined,
  topic: undefined,
};

/**
 * Reads one text frame. Never throws, whatever the text.
 *
 * The payload and `request_id` are cut out of the text itself, so that they go out as they came: number literals keep
 * their digits, keys their order and their repetitions.
 */
export function decode(text: string): Decoded {
  const parsed = parseJson(text);
  if (!parsed.ok) return refuse(parsed.problem);
  const value = parsed.content;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(`A frame must be a JSON object, not ${describe(value)}`);
  }

  const given: Given = value;
  const plain = !text.includes("\\");
  const requestId = requestIdOf(text, plain, given.request_id);
  const unusable = requestId === undefined && given.request_id !== undefined && given.request_id !== null;
  const frame = unusable
    ? bad(`'request_id' must be a string or a number, not ${describe(given.request_id)}`)
    : readFrame(given, text, plain);
  if (frame.ok) return { ok: true, request: frame.content, requestId };
  return { ok: false, problem: frame.problem, requestId, topic: nameOf(given.topic) };
}

type Given = { type?: unknown; topic?: unknown; request_id?: unknown; message?: unknown; messages?: unknown };

function readFrame(given: Given, text: string, plain: boolean): Read<Request> {
  const { type, message, messages } = given;
  switch (type) {
    case undefined:
    case null:
      return bad("Missing 'type'");
    case "publish":
      if (messages === undefined || messages === null) return readSingle(given, text, plain);
      if (message === undefined || message === null) return readSeveral(given, text);
      return bad("'message' and 'messages' exclude each other");
    case "subscribe":
    case "unsubscribe":
    case "ping":
    case "auth":
      return read<Request>(FRAMES[type], given);
    default:
      if (typeof type !== "string") return bad(`'type' must be a string, not ${describe(type)}`);
      return bad(`Unknown message type '${shorten(type)}'`);
  }
}

function readSingle(value: unknown, text: string, plain: boolean): Read<Publish> {
  const single = read(FRAMES.publish, value);
  if (!single.ok) return single;
  return publishOf(single.content, [{ id: single.content.message.id, payload: payloadOf(text, plain) }], false);
}

const readHeads = batchReader(messageSchema);

function readSeveral(value: unknown, text: string): Read<Publish> {
  const several = read(FRAMES.publishBatch, value);
  if (!several.ok) return several;
  const heads = readHeads(several.content.messages);
  return heads.ok ? publishOf(several.content, messagesOf(text, heads.content), true) : heads;
}

type PublishFields = Omit<z.infer<typeof FRAMES.publish>, "message">;

function publishOf(fields: PublishFields, messages: Message[], batch: boolean): Read<Publish> {
  const { type, topic, ack, dedupe, traceparent } = fields;
  return {
    ok: true,
    content: {
      type,
      topic,
      messages,
      batch,
      ack: ack !== false,
      dedupe: dedupe === true,
      traceparent: traceparent ?? undefined,
    },
  };
}

function bad(problem: string): { ok: false; problem: string } {
  return { ok: false, problem };
}

function refuse(problem: string): Decoded {
  return { ok: false, problem, requestId: undefined, topic: undefined };
}

function nameOf(given: unknown): string | undefined {
  const name = read(topicName, given);
  return name.ok ? name.content : undefined;
}

/** The `request_id` as it was written; undefined if it is missing or invalid. */
function requestIdOf(text: string, plain: boolean, id: unknown): RawJson | undefined {
  if (typeof id === "string" && plain) return `"${id}"`;
  if (typeof id !== "string" && typeof id !== "number") return undefined;
  const start = lastMember(text, skipSpace(text, 0), "request_id");
  return text.slice(start, skipValue(text, start));
}
