/** Tests that `contract.test.ts` runs. They assert nothing: those that receive a violation of the schemas must fail. */
import { expect, test } from "bun:test";
import { declareForeign } from "./contract.ts";
import { EventStream } from "./event-stream.ts";
import { HttpConnection } from "./http-connection.ts";
import { Subscriber } from "./subscriber.ts";

const WRONG_FRAME = '{"type":"pong","ts":"today"}';

/** Answers like our server, but wrongly. */
const impostor = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  routes: {
    "/health": Response.json({ uptime_sec: 1, topics: 1 }),
    "/livez": Response.json({ status: "ok" }, { status: 202 }),
    "/stats": Response.json({ topics: { t: "x".repeat(100_000) } }),
    "/readyz": new Response("Not yet", { status: 503 }),
    "/version": Response.json({ version: 1 }),
    "/topics/none": Response.json(
      { type: "about:blank", status: 500, title: "t", detail: "d", code: "TOPIC_NOT_FOUND" },
      { status: 404, headers: { "content-type": "application/problem+json" } },
    ),
    "/topics/t/events": new Response(`event: pong\ndata: ${WRONG_FRAME}\n\n`, {
      headers: { "content-type": "text/event-stream" },
    }),
  },
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response()),
  websocket: { open: (socket) => void socket.send(WRONG_FRAME), message: () => {} },
});
const port = impostor.port ?? 0;
const url = `http://127.0.0.1:${port}`;

test("no violation", () => {});

test("not ours", async () => {
  using _ = declareForeign(url);
  await fetch(`${url}/health`);
});

test("HEAD", async () => void (await fetch(`${url}/health`, { method: "HEAD" })));

test("violation: a field is missing", async () => void (await fetch(`${url}/health`)));

test("violation: another status", async () => void (await fetch(`${url}/livez`)));

test("violation: a large answer", async () => void (await (await fetch(`${url}/stats`)).json()));

test("violation: an error without a problem document", async () => void (await fetch(`${url}/readyz`)));

test("violation: an answer without a schema", async () => void (await fetch(`${url}/version`)));

test("violation: a problem of another status", async () => void (await fetch(new Request(`${url}/topics/none`))));

test("violation: an answer to a raw connection", async () => {
  await (await HttpConnection.open(port)).ask("GET", "/health");
});

test("violation: a frame to a WebSocket", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  await new Promise((resolve) => socket.addEventListener("message", resolve));
  socket.close();
});

test("violation: a frame to a subscriber", async () => {
  using subscriber = await Subscriber.open({ port }, "websocket", { topic: "t", clientId: "me" });
  await subscriber.ended;
});

test("violation: an event", async () => {
  using subscriber = await Subscriber.open({ port }, "sse", { topic: "t" });
  await subscriber.ended;
});

test("violation: an event to fetch", async () => {
  await expect((await EventStream.open(`${url}/topics/t/events`)).next()).rejects.toThrow("Not a frame");
});
