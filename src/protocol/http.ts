import type { z } from "zod";
import { messagesOf, solePayloadOf, type Publication } from "./messages.ts";
import { batchReader, parseJson, read, shorten, type Read } from "./read.ts";
import {
  BODIES,
  messageForm,
  notAnObject,
  QUERIES,
  type EventsQuery,
  type HistoryQuery,
  type TopicQuery,
} from "./schema.ts";

/** Reads the body of `POST /topics`. */
export function readCreateTopic(text: string): Read<{ name: string }> {
  const parsed = parseJson(text);
  return parsed.ok ? read(BODIES.createTopic, parsed.content) : parsed;
}

const readForms = batchReader(messageForm);

/**
 * Reads the body of `POST /topics/{name}/messages`: one message or `messages`, their payloads verbatim.
 *
 * @param makeId makes the id of a message that came without one
 */
export function readMessages(text: string, makeId: () => string): Read<Publication> {
  const parsed = parseJson(text);
  if (!parsed.ok) return parsed;
  const value = parsed.content;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { ok: false, problem: notAnObject({ input: value }) };
  }
  if (!("messages" in value) || value.messages === null) {
    const sole = read(BODIES.publish, value);
    if (!sole.ok) return sole;
    const { id, dedupe } = sole.content;
    const messages = [{ id: id ?? makeId(), payload: solePayloadOf(text) }];
    return { ok: true, content: { messages, dedupe: dedupe === true } };
  }
  if ("payload" in value) return { ok: false, problem: "'payload' and 'messages' exclude each other" };
  const several = read(BODIES.publishBatch, value);
  if (!several.ok) return several;
  const forms = readForms(several.content.messages);
  if (!forms.ok) return forms;
  const heads = forms.content.map(({ id }) => ({ id: id ?? makeId() }));
  return { ok: true, content: { messages: messagesOf(text, heads), dedupe: several.content.dedupe === true } };
}

/** Reads the fields of a query. An empty field, `?field=`, counts as absent. An unknown field is refused by its name. */
function readQuery<T>(schema: z.ZodType<T> & { shape: object }, query: URLSearchParams): Read<T> {
  const known = Object.keys(schema.shape);
  const unknown = [...query.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) {
    const problem = `Unknown query parameter '${shorten(unknown)}'; this path knows ${known.join(", ") || "none"}`;
    return { ok: false, problem };
  }
  return read(schema, Object.fromEntries([...query].filter(([, text]) => text !== "")));
}

/** Reads the query of `GET /topics/{name}/events`. */
export function readEventsQuery(query: URLSearchParams): Read<EventsQuery> {
  return readQuery(QUERIES.events, query);
}

/** Reads the query of `GET /topics/{name}/messages`. */
export function readHistoryQuery(query: URLSearchParams): Read<HistoryQuery> {
  return readQuery(QUERIES.history, query);
}

/** Reads the query of `GET /topics/{name}`. */
export function readTopicQuery(query: URLSearchParams): Read<TopicQuery> {
  return readQuery(QUERIES.topic, query);
}

/** Reads the query of a path that knows no parameter. */
export function readNoQuery(query: URLSearchParams): Read<object> {
  return readQuery(QUERIES.none, query);
}
