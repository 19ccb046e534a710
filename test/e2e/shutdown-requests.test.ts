import { beforeAll, describe, expect, test } from "bun:test";
import { RawConnection, responsesOf } from "../conformance/raw.ts";
import { binary, startBinary } from "../support/binary.ts";
import { Client, ID } from "../support/client.ts";
import { overwhelm, publish } from "../support/publish.ts";
import { RawClient } from "../support/raw-client.ts";
import { health, startTestServer, stats, type TestServer } from "../support/server.ts";
import { Subscriber } from "../support/subscriber.ts";

/** Longer than any test. */
const NEVER = "3600000";
const ENV = { TOPICS: "t", SHUTDOWN_GRACE_MS: NEVER };
const POSTS: readonly (readonly [path: string, body: string])[] = [
  ["/topics/t/messages", `{"payload":1}`],
  ["/topics/t/messages", `{"messages":[{"payload":1},{"payload":2}]}`],
  ["/topics", `{"name":"new"}`],
];

/** A POST of which half of the body was sent, and the server has begun to read it. */
async function begin(server: { port: number; url: string }, path: string, body: string) {
  const connection = new RawConnection(server);
  const half = body.length >> 1;
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`;
  await connection.send(head + body.slice(0, half));
  for (let i = 0; i < 3; i++) await health(server);
  return {
    finish: async () => {
      connection.write(body.slice(half));
      const [response] = responsesOf(await connection.readToEnd());
      return response;
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

/** One that does not read, and keeps a shutdown waiting until it is cut; "t" has the messages up to `seq`. */
async function block(server: TestServer) {
  const stalled = await Subscriber.open(server, "websocket", { topic: "t", clientId: "stalled", stalled: true });
  const seq = await overwhelm(server, "t", "stalled");
  return { seq, [Symbol.dispose]: () => stalled.cut() };
}

describe("a POST whose body ends during a shutdown", () => {
  test.each(POSTS)("is answered 503 and does nothing: %s %s", async (path, body) => {
    await using server = startTestServer(ENV);
    using subscriber = await Subscriber.open(server, "websocket", { topic: "t", clientId: "me" });
    using blocker = await block(server);
    await using request = await begin(server, path, body);
    const stopped = server.stop();
    await subscriber.ended;
    const response = await request.finish();
    expect(response?.status).toBe(503);
    expect(JSON.parse(response?.body ?? "")).toMatchObject({ status: 503, code: "SHUTTING_DOWN" });
    expect(await stats(server)).toEqual({ t: { messages: blocker.seq, subscribers: 1 } });
    expect(subscriber.received.filter(({ kind }) => kind === "event")).toHaveLength(blocker.seq);
    blocker[Symbol.dispose]();
    await stopped;
    expect(server.lines).toEqual([]);
  });

  test("is answered 503 where nobody is subscribed, and so is waited for", async () => {
    await using server = startTestServer(ENV);
    await using request = await begin(server, "/topics/t/messages", `{"payload":1}`);
    const stopped = server.stop();
    expect((await request.finish())?.status).toBe(503);
    await stopped;
  });

  beforeAll(() => void binary());

  test("is answered 503 by the executable after SIGTERM, and its subscriber sees nothing of it", async () => {
    await using server = await startBinary({ TOPICS: "t" });
    const client = await Client.connect(server);
    await client.subscribe("t", "me");
    await publish(server, "t", ["before"]);
    await using request = await begin(server, "/topics/t/messages", `{"payload":1}`);
    server.process.kill("SIGTERM");
    await server.log.until("shutting down");
    expect((await request.finish())?.status).toBe(503);
    expect(await client.closed).toMatchObject({ code: 1001 });
    const frames = await client.take(client.inbox.length);
    expect(frames.map(({ type, msg }) => msg ?? type)).toEqual(["event", "topic_deleted", "server_shutdown"]);
    expect(await server.log.until("stopped")).toMatchObject({ published: 1 });
    expect(await server.process.exited).toBe(0);
  });
});

const requests = [
  { type: "publish", topic: "t", message: { id: ID, payload: 1 }, request_id: "late" },
  { type: "publish", topic: "t", messages: [{ id: ID, payload: 1 }], request_id: "late" },
  { type: "subscribe", topic: "t", client_id: "new", request_id: "late" },
  { type: "unsubscribe", topic: "t", client_id: "me", request_id: "late" },
  { type: "unsubscribe", topic: "none", client_id: "me", request_id: "late" },
];

describe("a WebSocket during a shutdown", () => {
  test("that still has to read is refused whatever it asks for, and gets what was queued for it", async () => {
    const server = startTestServer(ENV);
    const slow = await RawClient.subscribe(server, "me");
    const seq = await overwhelm(server, "t", "me");
    const stopped = server.stop();
    for (const request of requests) slow.send(request);
    slow.send({ type: "ping", request_id: "late" });
    for (let i = 0; i < 3; i++) await health(server);
    expect(await stats(server)).toEqual({ t: { messages: seq, subscribers: 1 } });

    const frames = await slow.readUntil(() => slow.close !== undefined);
    const answers = frames.filter(({ request_id }) => request_id === "late");
    expect(answers.map(({ type, error }): string => error?.code ?? type)).toEqual([
      ...requests.map(() => "SHUTTING_DOWN"),
      "pong",
    ]);
    expect(frames.findLast(({ type }) => type === "event")?.seq).toBe(seq);
    expect(frames.slice(-2)).toMatchObject([{ msg: "topic_deleted", reason: "shutdown" }, { msg: "server_shutdown" }]);
    expect(slow.close).toEqual({ code: 1001, reason: "shutting down" });
    slow.cut();
    await stopped;
    expect(server.lines).toEqual([]);
  });

  test("that was said goodbye to is answered nothing more, and nothing that it asks for is done", async () => {
    await using server = startTestServer({ ...ENV, AUTO_CREATE_TOPICS: "true" });
    using blocker = await block(server);
    const idle = await RawClient.connect(server);
    idle.send({ type: "ping" });
    await idle.readUntil((frames) => frames.length === 1);
    const stopped = server.stop();
    for (const request of [...requests, { ...requests[0], topic: "new" }, { type: "ping", request_id: "late" }]) {
      idle.send(request);
    }
    const frames = await idle.readUntil(() => idle.close !== undefined);
    expect(frames.slice(1)).toMatchObject([{ type: "info", msg: "server_shutdown" }]);
    expect(idle.close).toEqual({ code: 1001, reason: "shutting down" });
    expect(await stats(server)).toEqual({ t: { messages: blocker.seq, subscribers: 1 } });
    idle.cut();
    blocker[Symbol.dispose]();
    await stopped;
  });
});
