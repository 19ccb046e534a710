import { expect } from "bun:test";
import type { z } from "zod";
import { ANSWERS, problemDocument } from "../../src/protocol/sent-schema.ts";

export type Published = z.infer<(typeof ANSWERS)["POST /topics/:name/messages"]>;
export type HistoryAnswer = z.infer<(typeof ANSWERS)["GET /topics/:name/messages"]>;
export type TopicDetail = z.infer<(typeof ANSWERS)["GET /topics/:name"]>;

/** The problem document of an answer, whose status must be the answer's own. */
export async function problemOf(response: Response) {
  const text = await response.text();
  if (response.ok) throw new Error(`No problem but ${response.status}: ${text}`);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = problemDocument.parse(JSON.parse(text));
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

/** What a `POST /topics/{name}/messages` that succeeds is answered. */
export const readPublished = (text: string): Published =>
  ANSWERS["POST /topics/:name/messages"].parse(JSON.parse(text));

/** What a `GET /topics/{name}/messages` that succeeds is answered. */
export const readHistory = (text: string): HistoryAnswer =>
  ANSWERS["GET /topics/:name/messages"].parse(JSON.parse(text));

/** Publishes a body over HTTP. */
export async function publishBody(server: Server, name: string, body: object | string): Promise<Published> {
  return readPublished(await jsonOf(await post(server, name, body)));
}

/** `GET /topics/{name}/messages` */
export async function history(server: Server, name: string, query = ""): Promise<HistoryAnswer> {
  return readHistory(await jsonOf(await fetch(topicUrl(server, name, `/messages${query}`))));
}

/** `GET /topics/{name}` */
export async function topicDetail(server: Server, name: string, query = ""): Promise<TopicDetail> {
  const response = await fetch(topicUrl(server, name, query));
  return ANSWERS["GET /topics/:name"].parse(JSON.parse(await jsonOf(response)));
}
