import { z } from "zod";
import { parsePosition } from "./event-stream.ts";
import { OVERFLOWS } from "./frames.ts";
import { batch, batchReader, messageFormSchema, messagesOf, solePayloadOf, type Message } from "./messages.ts";
import { nameSchema } from "./names.ts";
import { describe, parseJson, read, shorten, type Read } from "./read.ts";

/** A topic's name as a path or a body gives it. */
const topicName = nameSchema("'name'", "Missing 'name'");

const notAnObject = ({ input }: { input?: unknown }) => `The body must be a JSON object, not ${describe(input)}`;

const createTopicBody = z.object({ name: topicName }, { error: notAnObject });

/** Reads the body of `POST /topics`. */
export function readCreateTopic(text: string): Read<{ name: string }> {
  const parsed = parseJson(text);
  return parsed.ok ? read(createTopicBody, parsed.content) : parsed;
}

const soleBody = messageFormSchema("");
const readForms = batchReader(messageFormSchema);
const severalBody = z.object({ messages: batch });

/**
 * Reads the body of `POST /topics/{name}/messages`: one message or `messages`, their payloads verbatim.
 *
 * @param makeId makes the id of a message that came without one
 */
export function readMessages(text: string, makeId: () => string): Read<Message[]> {
  const parsed = parseJson(text);
  if (!parsed.ok) return parsed;
  const value = parsed.content;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { ok: false, problem: notAnObject({ input: value }) };
  }
  if (!("messages" in value) || value.messages === null) {
    const sole = read(soleBody, value);
    if (!sole.ok) return sole;
    return { ok: true, content: [{ id: sole.content.id ?? makeId(), payload: solePayloadOf(text) }] };
  }
  if ("payload" in value) return { ok: false, problem: "'payload' and 'messages' exclude each other" };
  const several = read(severalBody, value);
  if (!several.ok) return several;
  const forms = readForms(several.content.messages);
  if (!forms.ok) return forms;
  const heads = forms.content.map(({ id }) => ({ id: id ?? makeId() }));
  return { ok: true, content: messagesOf(text, heads) };
}

function count(field: string, min: number) {
  const problem = `'${field}' must be an integer of ${min} or more`;
  return z
    .string()
    .regex(/^\d{1,15}$/, problem)
    .transform(Number)
    .pipe(z.number().min(min, problem));
}

/** Reads the fields of a query; `?field=` is as good as none, and one that is not known is refused by its name. */
function readQuery<T>(schema: z.ZodType<T>, known: readonly string[], query: URLSearchParams): Read<T> {
  const unknown = [...query.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) {
    const problem = `Unknown query parameter '${shorten(unknown)}'; this path knows ${known.join(", ")}`;
    return { ok: false, problem };
  }
  return read(schema, Object.fromEntries([...query].filter(([, text]) => text !== "")));
}

const since = z
  .string()
  .transform((text) => parsePosition(text))
  .refine((position) => position !== undefined, "'since' must be a position, EPOCH:SEQ, or a SEQ of the present epoch");

const exclusive = ({ last_n, since: from }: { last_n?: unknown; since?: unknown }) =>
  last_n === undefined || from === undefined;
const EXCLUSIVE = "'since' and 'last_n' exclude each other";

const streamQuery = z
  .object({
    last_n: count("last_n", 0).optional(),
    since: since.optional(),
    client_id: nameSchema("'client_id'", "Missing 'client_id'").optional(),
    queue: count("queue", 1).optional(),
    overflow: z.enum(OVERFLOWS, `'overflow' must be one of ${OVERFLOWS.join(", ")}`).optional(),
  })
  .refine(exclusive, EXCLUSIVE);

const STREAM_FIELDS = Object.keys(streamQuery.shape);

export type StreamQuery = z.infer<typeof streamQuery>;

/** Reads the query of `GET /topics/{name}/events`. */
export function readStreamQuery(query: URLSearchParams): Read<StreamQuery> {
  return readQuery(streamQuery, STREAM_FIELDS, query);
}

const historyQuery = z
  .object({
    last_n: count("last_n", 0).optional(),
    since: since.optional(),
    until: count("until", 0).optional(),
    epoch: z.string().optional(),
  })
  .refine(exclusive, EXCLUSIVE)
  .refine(({ since, until }) => until === undefined || since !== undefined, "'until' is for use with 'since'");

const HISTORY_FIELDS = Object.keys(historyQuery.shape);

export type HistoryQuery = z.infer<typeof historyQuery>;

/** Reads the query of `GET /topics/{name}/messages`. */
export function readHistoryQuery(query: URLSearchParams): Read<HistoryQuery> {
  return readQuery(historyQuery, HISTORY_FIELDS, query);
}
