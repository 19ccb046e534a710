/** The schemas of everything that comes in from outside. `sent-schema.ts` has those of what the server sends. */
import { z } from "zod";
import { parseEventId, parsePosition } from "./event-stream.ts";
import { OVERFLOWS } from "./frames.ts";
import { isName, MAX_NAME_BYTES } from "./names.ts";
import { describe } from "./read.ts";
import { isTraceparent, TRACEPARENT } from "./trace.ts";

/** A name that a client chooses. `field` is what the client calls it; `missing` is the problem if there is none. */
function name(field: string, missing: string) {
  return z
    .string({ error: ({ input }) => (input === undefined || input === null ? missing : `${field} must be a string`) })
    .refine(isName, `${field} must be 1 to ${MAX_NAME_BYTES} UTF-8 bytes without control characters`)
    .meta({ minLength: 1, maxLength: MAX_NAME_BYTES, pattern: "^[^\\u0000-\\u001f\\u007f-\\u009f]+$" });
}

export const topicName = name("'topic'", "Missing 'topic'");
const clientIdFor = (type: string) => name("'client_id'", `Missing 'client_id' for ${type}`);

// What a subscriber may ask for, in frames and in queries.
const integer = (problem: string, min: number, max = Number.MAX_SAFE_INTEGER) => {
  const inFrame = z.int(problem).min(min, problem).max(max, problem);
  const digits = z.string().regex(/^\d{1,15}$/, problem);
  return { inFrame, inQuery: digits.transform(Number).pipe(inFrame) };
};
const countOf = (field: string, min: number) => integer(`'${field}' must be an integer of ${min} or more`, min);

const lastN = countOf("last_n", 0);
const queue = countOf("queue", 1);
const overflow = z.enum(OVERFLOWS, `'overflow' must be one of ${OVERFLOWS.join(", ")}`);

const since = {
  inFrame: z.preprocess(
    (given) => (typeof given === "string" ? (parseEventId(given) ?? given) : given),
    z.object(
      { epoch: z.string("'since.epoch' must be a string"), seq: countOf("since.seq", 0).inFrame },
      "'since' must be a position: EPOCH:SEQ, or an object with epoch and seq",
    ),
  ),
  inQuery: z
    .string()
    .meta({ pattern: "^([^:]*:)?[0-9]{1,15}$" })
    .transform((text) => parsePosition(text))
    .refine((at) => at !== undefined, "'since' must be a position, EPOCH:SEQ, or a SEQ of the present epoch"),
};

const oneStart = ({ last_n, since: from }: { last_n?: unknown; since?: unknown }) =>
  last_n === undefined || from === undefined;
const ONE_START = "'since' and 'last_n' exclude each other";

/** `id`, or `message.id` in an object that the client calls `message`. */
const fieldOf = (message: string, field: string) => (message === "" ? field : `${message}.${field}`);
const idOf = (message: string) => z.guid(`${fieldOf(message, "id")} must be a valid UUID`);
export const payloadIn = (message: string) =>
  z.unknown().refine((value) => value !== undefined, `Missing '${fieldOf(message, "payload")}'`);

/** A message that must have an id, as in frames. `called` is what the client calls it. */
export function message(called: string, missing = `'${called}' must be an object`) {
  return z.object(
    { id: idOf(called), payload: payloadIn(called) },
    { error: ({ input }) => (input === undefined || input === null ? missing : `'${called}' must be an object`) },
  );
}

/** A message that may lack an id; the server then gives it one. */
export function messageForm(called: string) {
  return z.object({ id: idOf(called).nullish(), payload: payloadIn(called) }, `'${called}' must be an object`);
}

/** Messages that are published all or none. Each of them is read later. */
const batch = z.array(z.unknown(), "'messages' must be an array").min(1, "'messages' must not be empty");

/** A field that may be missing. `null` counts as missing. */
const optional = <T extends z.ZodType>(schema: T) =>
  schema
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();
const ack = z.boolean("'ack' must be true or false").nullish();
const dedupe = z.boolean("'dedupe' must be true or false").nullish();
const badTrace = "'traceparent' must be one of W3C Trace Context, such as 00-(32 hex digits)-(16 hex digits)-01";
export const traceparent = z.string(badTrace).refine(isTraceparent, badTrace).meta({ pattern: TRACEPARENT.source });

export const FRAMES = {
  subscribe: z
    .object({
      type: z.literal("subscribe"),
      topic: topicName,
      client_id: clientIdFor("subscribe"),
      last_n: optional(lastN.inFrame),
      since: optional(since.inFrame),
      queue: optional(queue.inFrame),
      overflow: optional(overflow),
    })
    .refine(oneStart, ONE_START),
  unsubscribe: z.object({ type: z.literal("unsubscribe"), topic: topicName, client_id: clientIdFor("unsubscribe") }),
  // The only frame on the hot path.
  publish: z.compile(
    z.object({
      type: z.literal("publish"),
      topic: topicName,
      message: message("message", "Missing 'message' for publish"),
      ack,
      dedupe,
      traceparent: traceparent.nullish(),
    }),
    { strict: true },
  ),
  publishBatch: z.object({
    type: z.literal("publish"),
    topic: topicName,
    messages: batch,
    ack,
    dedupe,
    traceparent: traceparent.nullish(),
  }),
  ping: z.object({ type: z.literal("ping") }),
  auth: z.object({ type: z.literal("auth"), token: z.string("'token' must be a string").min(1, "Missing 'token'") }),
} as const;

export const notAnObject = ({ input }: { input?: unknown }) => `The body must be a JSON object, not ${describe(input)}`;
export const BODIES = {
  createTopic: z.object({ name: name("'name'", "Missing 'name'") }, { error: notAnObject }),
  publish: messageForm("").extend({ dedupe }),
  publishBatch: z.object({ messages: batch, dedupe }),
} as const;

/** How many subscribers one answer lists: the default, and the most that a query may ask for. */
export const SUBSCRIBERS_PAGE = 1000;
const limit = integer(`'limit' must be an integer from 1 to ${SUBSCRIBERS_PAGE}`, 1, SUBSCRIBERS_PAGE);

export const QUERIES = {
  none: z.object({}),
  events: z
    .object({
      last_n: lastN.inQuery.optional(),
      since: since.inQuery.optional(),
      client_id: name("'client_id'", "Missing 'client_id'").optional(),
      queue: queue.inQuery.optional(),
      overflow: overflow.optional(),
      access_token: z.string().optional(),
    })
    .refine(oneStart, ONE_START),
  history: z
    .object({
      last_n: lastN.inQuery.optional(),
      since: since.inQuery.optional(),
      until: countOf("until", 0).inQuery.optional(),
      epoch: z.string().optional(),
    })
    .refine(oneStart, ONE_START)
    .refine(({ since: from, until }) => until === undefined || from !== undefined, "'until' is for use with 'since'"),
  topic: z.object({
    limit: limit.inQuery.optional(),
    after: name("'after'", "Missing 'after'").optional(),
  }),
} as const;

export type EventsQuery = z.infer<typeof QUERIES.events>;
export type HistoryQuery = z.infer<typeof QUERIES.history>;
export type TopicQuery = z.infer<typeof QUERIES.topic>;
