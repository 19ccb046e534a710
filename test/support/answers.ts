import { expect } from "bun:test";
import { z } from "zod";

const problemSchema = z.strictObject({
  type: z.literal("about:blank"),
  status: z.int(),
  title: z.string().min(1),
  detail: z.string().min(1),
  code: z.string(),
});

const publishedSchema = z.strictObject({
  status: z.literal("ok"),
  topic: z.string(),
  epoch: z.string().regex(/^[0-9a-f]{12}$/),
  first_seq: z.int(),
  seq: z.int(),
  ids: z.array(z.string()),
});

export const historySchema = z.strictObject({
  topic: z.string(),
  epoch: z.string(),
  oldest_seq: z.int(),
  seq: z.int(),
  more: z.literal(true).optional(),
  messages: z.array(z.strictObject({ seq: z.int(), ts: z.iso.datetime(), id: z.guid(), payload: z.unknown() })),
});

const detailSchema = z.strictObject({
  topic: z.string(),
  epoch: z.string(),
  seq: z.int(),
  oldest_seq: z.int(),
  history: z.strictObject({ messages: z.int(), bytes: z.int() }),
  subscribers: z.array(
    z.strictObject({
      client_id: z.string(),
      transport: z.string(),
      queued: z.int(),
      dropped: z.int(),
      connected_since: z.iso.datetime(),
    }),
  ),
});

export type Published = z.infer<typeof publishedSchema>;
export type HistoryAnswer = z.infer<typeof historySchema>;
export type TopicDetail = z.infer<typeof detailSchema>;

/** The problem document of an answer, whose status must be the answer's own. */
export async function problemOf(response: Response) {
  const text = await response.text();
  if (response.ok) throw new Error(`No problem but ${response.status}: ${text}`);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = problemSchema.parse(JSON.parse(text));
  expect(problem.status).toBe(response.status);
  return problem;
}

/** The text of a JSON document that was answered with 200. */
export async function jsonOf(response: Response): Promise<string> {
  const text = await response.text();
  if (response.status !== 200) throw new Error(`Answered ${response.status}: ${text}`);
  expect(response.headers.get("content-type")?.toLowerCase()).toBe("application/json;charset=utf-8");
  return text;
}

type Server = { url: string };

/** The URL of a topic, and what is under it. */
export function topicUrl({ url }: Server, name: string, rest = ""): string {
  return `${url}/topics/${encodeURIComponent(name)}${rest}`;
}

/** `POST /topics/{name}/messages`, whatever is answered. */
export function post(server: Server, name: string, body: object | string, init: RequestInit = {}): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(topicUrl(server, name, "/messages"), { ...init, method: "POST", body: text });
}

/** Publishes over HTTP, with these keys exactly in the answer. */
export async function publish(server: Server, name: string, body: object | string): Promise<Published> {
  return publishedSchema.parse(JSON.parse(await jsonOf(await post(server, name, body))));
}

/** `GET /topics/{name}/messages`, with these keys exactly. */
export async function history(server: Server, name: string, query = ""): Promise<HistoryAnswer> {
  const response = await fetch(topicUrl(server, name, `/messages${query}`));
  return historySchema.parse(JSON.parse(await jsonOf(response)));
}

/** `GET /topics/{name}`, with these keys exactly. */
export async function detail(server: Server, name: string): Promise<TopicDetail> {
  return detailSchema.parse(JSON.parse(await jsonOf(await fetch(topicUrl(server, name)))));
}
