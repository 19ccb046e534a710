import { z } from "zod";
import { eachMember, skipSpace, skipValue, type RawJson } from "./json-text.ts";
import { nameSchema } from "./names.ts";

const topic = nameSchema("'topic'", "Missing 'topic'");
const clientIdFor = (type: string) => nameSchema("'client_id'", `Missing 'client_id' for ${type}`);
const lastN = "'last_n' must be an integer of 0 or more";

const message = z.object(
  {
    id: z.guid("message.id must be a valid UUID"),
    payload: z.unknown().refine((value) => value !== undefined, "Missing 'message.payload'"),
  },
  {
    error: ({ input }) =>
      input === undefined || input === null ? "Missing 'message' for publish" : "'message' must be an object",
  },
);

const FRAMES = {
  subscribe: z.object({
    type: z.literal("subscribe"),
    topic,
    client_id: clientIdFor("subscribe"),
    last_n: z.int(lastN).min(0, lastN).nullish(),
  }),
  unsubscribe: z.object({ type: z.literal("unsubscribe"), topic, client_id: clientIdFor("unsubscribe") }),
  publish: z.object({ type: z.literal("publish"), topic, message }),
  ping: z.object({ type: z.literal("ping") }),
} as const;

/** A message to publish: `payload` is the text its publisher sent, not a value read from it. */
export type Message = { id: string; payload: RawJson };

export type SubscribeFrame = z.infer<typeof FRAMES.subscribe>;
export type UnsubscribeFrame = z.infer<typeof FRAMES.unsubscribe>;
export type PublishFrame = Omit<z.infer<typeof FRAMES.publish>, "message"> & { message: Message };
export type PingFrame = z.infer<typeof FRAMES.ping>;
export type ClientFrame = SubscribeFrame | UnsubscribeFrame | PublishFrame | PingFrame;

/** What a frame came to: the frame, or what is wrong with it and as much of its envelope as could be read. */
export type Decoded =
  | { ok: true; frame: ClientFrame; requestId: RawJson | undefined }
  | { ok: false; problem: string; requestId: RawJson | undefined; topic: string | undefined };

/**
 * Reads one text frame. Never throws, whatever the text.
 *
 * The payload and `request_id` are cut out of the text itself, so that they go back as they came: number literals keep
 * their digits, keys their order and their repetitions.
 */
export function decode(text: string): Decoded {
  const parsed = parseJson(text);
  if (!parsed.ok) return refuse(parsed.problem);
  const { value } = parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(`A frame must be a JSON object, not ${describe(value)}`);
  }

  const raw = rawParts(text);
  const named = envelope(value, raw.requestId);
  if (named.problem !== undefined)
    return { ok: false, problem: named.problem, requestId: undefined, topic: named.topic };
  const problem = (words: string): Decoded => ({
    ok: false,
    problem: words,
    requestId: named.requestId,
    topic: named.topic,
  });

  switch (named.type) {
    case undefined:
    case null:
      return problem("Missing 'type'");
    case "publish": {
      const read = FRAMES.publish.safeParse(value);
      if (!read.success) return problem(firstProblem(read.error));
      const { type, topic: name, message: sent } = read.data;
      const frame: PublishFrame = { type, topic: name, message: { id: sent.id, payload: raw.payload } };
      return { ok: true, frame, requestId: named.requestId };
    }
    case "subscribe":
    case "unsubscribe":
    case "ping": {
      const read = FRAMES[named.type].safeParse(value);
      if (!read.success) return problem(firstProblem(read.error));
      return { ok: true, frame: read.data, requestId: named.requestId };
    }
    default:
      if (typeof named.type !== "string") return problem(`'type' must be a string, not ${describe(named.type)}`);
      return problem(`Unknown message type '${shorten(named.type)}'`);
  }
}

/** `JSON.parse` as a result instead of an exception. */
export function parseJson(text: string): { ok: true; value: unknown } | { ok: false; problem: string } {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^JSON Parse error: /, "") : String(cause);
    return { ok: false, problem: `Not valid JSON: ${shorten(reason)}` };
  }
}

/** The first thing that is wrong, in the order of the schema's fields. */
export function firstProblem(error: z.ZodError): string {
  return error.issues[0]?.message ?? "Invalid";
}

export function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

const MAX_ECHO = 64;

/** A client's own words in an error text, cut so that the answer to a bad frame is never a large one. */
function shorten(words: string): string {
  return words.length <= MAX_ECHO ? words : `${words.slice(0, MAX_ECHO).toWellFormed()}…`;
}

function refuse(problem: string): Decoded {
  return { ok: false, problem, requestId: undefined, topic: undefined };
}

type Envelope = { type: unknown; topic: string | undefined; requestId: RawJson | undefined; problem?: string };

function envelope(frame: object, requestId: RawJson | undefined): Envelope {
  const given: { type?: unknown; topic?: unknown; request_id?: unknown } = frame;
  const name = typeof given.topic === "string" && topic.safeParse(given.topic).success ? given.topic : undefined;
  const id = given.request_id;
  if (id === undefined || id === null) return { type: given.type, topic: name, requestId: undefined };
  if (typeof id === "string" || typeof id === "number") return { type: given.type, topic: name, requestId };
  const problem = `'request_id' must be a string or a number, not ${describe(id)}`;
  return { type: given.type, topic: name, requestId: undefined, problem };
}

/** Where a key is repeated the last one counts, as it does for `JSON.parse`. */
function rawParts(text: string): { requestId: RawJson | undefined; payload: RawJson } {
  let requestId: RawJson | undefined;
  let payload: RawJson = "";
  const inMessage = (key: string, at: number): number => {
    if (key !== "payload") return 0;
    const end = skipValue(text, at);
    payload = text.slice(at, end);
    return end;
  };
  eachMember(text, skipSpace(text, 0), (key, at) => {
    if (key === "message" && text[at] === "{") return eachMember(text, at, inMessage);
    if (key !== "request_id") return 0;
    const end = skipValue(text, at);
    requestId = text.slice(at, end);
    return end;
  });
  return { requestId, payload };
}
