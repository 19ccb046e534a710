import { expect, test } from "bun:test";
import { join } from "node:path";
import { ERRORS, type ErrorCode } from "../../src/protocol/codes.ts";
import { post, problemOf, topicUrl } from "../support/answers.ts";
import { createTopic, startTestServer, stats } from "../support/server.ts";

/** A request that is answered with this code. */
const REQUESTS: [ErrorCode, (url: string) => Promise<Response>][] = [
  ["BAD_REQUEST", (url) => fetch(`${url}/topics`, { method: "POST", body: "{" })],
  ["BAD_REQUEST", (url) => fetch(`${url}/topics/t/messages?last=1`)],
  ["FORBIDDEN", (url) => fetch(`${url}/topics`, { headers: { origin: "https://elsewhere.example" } })],
  ["NOT_FOUND", (url) => fetch(`${url}/nope`)],
  ["TOPIC_NOT_FOUND", (url) => fetch(`${url}/topics/none`)],
  ["METHOD_NOT_ALLOWED", (url) => fetch(`${url}/topics`, { method: "PUT" })],
  ["TOPIC_EXISTS", (url) => fetch(`${url}/topics`, { method: "POST", body: '{"name":"t"}' })],
  ["EPOCH_OVER", (url) => fetch(`${url}/topics/t/messages?since=another:1`)],
  ["PRECONDITION_FAILED", (url) => fetch(`${url}/topics/t`, { method: "DELETE", headers: { "if-match": '"a"' } })],
  ["TOO_LARGE", (url) => fetch(`${url}/topics`, { method: "POST", body: "x".repeat(1001) })],
  [
    "UNSUPPORTED_ENCODING",
    (url) => fetch(`${url}/topics`, { method: "POST", body: "x", headers: { "content-encoding": "gzip" } }),
  ],
  ["UPGRADE_REQUIRED", (url) => fetch(`${url}/ws`)],
];

/** What has tests of its own: credentials, limits, a shutdown, faults of ours, an engine that is away, and what no request is answered with. */
const ELSEWHERE: readonly string[] = [
  "UNAUTHORIZED",
  "LIMIT_EXCEEDED",
  "SHUTTING_DOWN",
  "INTERNAL",
  "UNAVAILABLE",
  "SLOW_CONSUMER",
];

test("every code has a request here, or tests of its own", () => {
  const tried = new Set([...REQUESTS.map(([code]) => code), ...ELSEWHERE]);
  expect([...tried].sort()).toEqual(Object.keys(ERRORS).sort());
});

test("the table of errors in the documentation has every code with its status", async () => {
  const page = await Bun.file(join(import.meta.dir, "../../src/protocol/README.md")).text();
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` +\| (\d*) *\|/gm)].map(([, code, status]) => [code, status]);
  const codes = Object.entries(ERRORS).map(([code, { status }]) => [code, String(status ?? "")]);
  expect(rows.sort()).toEqual(codes.sort());
});

test.each(REQUESTS)("%s is answered with the status and title of the one table", async (code, ask) => {
  await using server = startTestServer({ MAX_MESSAGE_BYTES: "1000" });
  await createTopic(server, "t");
  const { status, title } = ERRORS[code];
  const response = await ask(server.url);
  expect(response.status).toBe(status ?? 0);
  expect(await problemOf(response)).toMatchObject({ code, status, title });
});

test.each([
  ["GET", "/topics"],
  ["POST", "/topics"],
  ["DELETE", "/topics/t"],
  ["POST", "/topics/t/messages"],
  ["GET", "/stats"],
])("%s %s refuses any query parameter by its name, and does nothing", async (method, path) => {
  await using server = startTestServer({ TOPICS: "t" });
  const body = method === "POST" ? JSON.stringify({ name: "u", payload: 1 }) : undefined;
  const problem = await problemOf(await fetch(`${server.url}${path}?dry_run=true`, { method, ...(body && { body }) }));
  expect(problem).toMatchObject({ status: 400, detail: "Unknown query parameter 'dry_run'; this path knows none" });
  expect(await stats(server)).toEqual({ t: { messages: 0, subscribers: 0 } });
});

test("a query parameter that is not known is refused by its name, and nothing is opened", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  await post(server, "t", { payload: 1 });
  const problem = await problemOf(await fetch(topicUrl(server, "t", "/events?lastEventId=e:1")));
  expect(problem).toMatchObject({
    status: 400,
    code: "BAD_REQUEST",
    detail:
      "Unknown query parameter 'lastEventId'; this path knows last_n, since, client_id, queue, overflow, access_token",
  });
});
