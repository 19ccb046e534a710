import { expect, test } from "bun:test";
import { connect } from "node:net";
import { post, problemOf, topicUrl } from "../support/answers.ts";
import { Client, ID } from "../support/client.ts";
import { createTopic, startTestServer } from "../support/server.ts";
import { metrics, until } from "../support/stats.ts";

const messages = (count: number) => Array.from({ length: count }, () => ({ id: ID, payload: 1 }));
const refusals = async (server: { url: string }, limit: string) =>
  (await metrics(server)).get(`pubsub_limit_refusals_total{limit="${limit}"}`) ?? 0;

test("MAX_CONNECTIONS_PER_ADDRESS bounds WebSockets and streams together, and gives places back", async () => {
  await using server = startTestServer({ TOPICS: "t", MAX_CONNECTIONS_PER_ADDRESS: "2", LOG_LEVEL: "warn" });
  const one = await Client.connect(server);
  await using _two = await Client.connect(server);
  await using three = await Client.connect(server);
  expect((await three.next()).error?.message).toContain("MAX_CONNECTIONS_PER_ADDRESS is 2");
  expect((await three.closed).code).toBe(4429);
  const stream = await problemOf(await fetch(topicUrl(server, "t", "/events")));
  expect(stream).toMatchObject({ status: 429, detail: expect.stringContaining("MAX_CONNECTIONS_PER_ADDRESS is 2") });
  expect(await refusals(server, "MAX_CONNECTIONS_PER_ADDRESS")).toBe(2);
  expect(server.lines.filter((line) => line.includes("MAX_CONNECTIONS_PER_ADDRESS"))).not.toEqual([]);
  await one.close();
  await until(async () => (await fetch(topicUrl(server, "t", "/events"), { method: "HEAD" })).status === 200);
  await using four = await Client.connect(server);
  expect((await four.ask({ type: "ping" })).type).toBe("pong");
});

test("behind a trusted proxy each client counts by its own address, and who is not trusted cannot choose one", async () => {
  const env = { MAX_CONNECTIONS_PER_ADDRESS: "1", LOG_LEVEL: "debug" };
  await using server = startTestServer({ ...env, TRUSTED_PROXIES: "127.0.0.0/8" });
  const from = (address: string) => Client.connect(server, { "x-forwarded-for": address });
  await using one = await from("203.0.113.1");
  await using two = await from("203.0.113.2");
  for (const client of [one, two]) expect((await client.ask({ type: "ping" })).type).toBe("pong");
  await using again = await from("203.0.113.1");
  expect((await again.next()).error?.code).toBe("LIMIT_EXCEEDED");
  expect(server.lines.join("\n")).toContain("203.0.113.2");

  await using other = startTestServer(env);
  await using first = await Client.connect(other, { "x-forwarded-for": "203.0.113.1" });
  await using second = await Client.connect(other, { "x-forwarded-for": "203.0.113.2" });
  expect((await first.ask({ type: "ping" })).type).toBe("pong");
  expect((await second.next()).error?.code).toBe("LIMIT_EXCEEDED");
});

test("MAX_BATCH_MESSAGES bounds one publish, over WebSocket and HTTP; nothing of a larger one is published", async () => {
  await using server = startTestServer({ MAX_BATCH_MESSAGES: "3" });
  await createTopic(server, "t");
  await using client = await Client.connect(server);
  const ask = (count: number) => client.ask({ type: "publish", topic: "t", messages: messages(count) });
  expect((await ask(4)).error).toEqual({ code: "LIMIT_EXCEEDED", message: "MAX_BATCH_MESSAGES is 3, and these are 4" });
  expect(await problemOf(await post(server, "t", { messages: messages(4) }))).toMatchObject({ status: 429 });
  expect((await ask(3)).seq).toBe(3);
  expect(await refusals(server, "MAX_BATCH_MESSAGES")).toBe(2);
});

test.each([
  ["MAX_MESSAGES_PER_SECOND", "5"],
  ["MAX_BYTES_PER_SECOND", "5"],
])("%s bounds what one connection publishes, and no other; it may go on after a while", async (limit, value) => {
  await using server = startTestServer({ [limit]: value });
  await createTopic(server, "t");
  await using fast = await Client.connect(server);
  await using other = await Client.connect(server);
  const publish = (client: Client) => client.ask({ type: "publish", topic: "t", message: { id: ID, payload: 1 } });
  let answers = 0;
  while ((await publish(fast)).type === "ack") answers++;
  expect(answers).toBeGreaterThanOrEqual(5);
  const refused = await publish(fast);
  if (refused.type === "error") {
    expect(refused.error).toEqual({ code: "LIMIT_EXCEEDED", message: `${limit} is 5: publish more slowly` });
  }
  expect((await publish(other)).type).toBe("ack");
  expect((await post(server, "t", { payload: 1 })).status).toBe(200);
  let status = 200;
  while (status === 200) status = (await post(server, "t", { payload: 1 })).status;
  expect(status).toBe(429);
  await until(async () => (await publish(fast)).type === "ack");
  expect(await refusals(server, limit)).toBeGreaterThan(1);
});

test("MAX_HTTP_REQUESTS bounds requests under way, those with half a body too; probes and streams are answered", async () => {
  await using server = startTestServer({ TOPICS: "t", MAX_HTTP_REQUESTS: "2" });
  const halves = [1, 2].map(() => {
    const socket = connect(server.port, "127.0.0.1");
    socket.write("POST /topics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{");
    return socket;
  });
  await until(async () => (await fetch(`${server.url}/health`)).status === 429);
  expect(await problemOf(await fetch(`${server.url}/topics`))).toMatchObject({
    status: 429,
    detail: expect.stringContaining("MAX_HTTP_REQUESTS is 2"),
  });
  for (const probe of ["/livez", "/readyz"]) expect((await fetch(server.url + probe)).status).toBe(200);
  for (const socket of halves) socket.destroy();
  await until(async () => (await fetch(`${server.url}/health`)).status === 200);
  const streams = await Promise.all(Array.from({ length: 4 }, () => fetch(topicUrl(server, "t", "/events"))));
  expect(streams.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  for (const stream of streams) await stream.body?.cancel();
});
