import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { ANSWERS } from "../../src/protocol/sent-schema.ts";
import { problemOf } from "../support/answers.ts";
import { Client } from "../support/client.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTopic, startTestServer } from "../support/server.ts";

const OTHER_PORT = "http://127.0.0.1:1";

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;

/** The body of an answer that is not a problem. */
async function bodyOf(response: Response, status = 200): Promise<unknown> {
  const text = await response.text();
  if (response.status !== status) throw new Error(`Answered ${response.status}, not ${status}: ${text}`);
  expect(response.headers.get("content-type")).toStartWith("application/json");
  return JSON.parse(text);
}

const post = (server: { url: string }, body: Body, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/topics`, { method: "POST", body, headers });
const get = (server: { url: string }, path: string, headers: Record<string, string> = {}) =>
  fetch(server.url + path, { headers });
const remove = (server: { url: string }, encodedName: string) =>
  fetch(`${server.url}/topics/${encodedName}`, { method: "DELETE" });

describe("POST /topics", () => {
  test("creates a topic", async () => {
    await using server = startTestServer();
    expect(await bodyOf(await post(server, `{"name":"orders"}`), 201)).toEqual({ status: "created", topic: "orders" });
    expect(await bodyOf(await get(server, "/topics"))).toEqual({ topics: [{ name: "orders", subscribers: 0 }] });
  });

  test("needs no content type, minds none, and ignores unknown keys", async () => {
    await using server = startTestServer();
    await bodyOf(await post(server, ` {"name" : "a", "x": 1} `, { "content-type": "text/plain" }), 201);
    await bodyOf(await post(server, new TextEncoder().encode(`{"name":"b"}`)), 201);
  });

  test("of a name in use answers 409, and leaves the topic as it is", async () => {
    await using server = startTestServer();
    await using client = await Client.connect(server);
    await createTopic(server, "orders");
    await client.subscribe("orders", "c");
    const problem = await problemOf(await post(server, `{"name":"orders"}`));
    expect(problem).toMatchObject({ status: 409, title: "Conflict" });
    expect(problem.detail).toContain("orders");
    expect(await bodyOf(await get(server, "/topics"))).toEqual({ topics: [{ name: "orders", subscribers: 1 }] });
  });

  test.each([
    ["an empty name", `{"name":""}`, "'name' must be 1 to 255 UTF-8 bytes"],
    ["a name of 256 bytes", JSON.stringify({ name: "x".repeat(256) }), "255"],
    ["a name of 256 bytes in 128 letters", JSON.stringify({ name: "é".repeat(128) }), "255"],
    ["a control character", `{"name":"a\\u0000"}`, "control characters"],
    ["a lone surrogate", `{"name":"\\ud800"}`, "'name'"],
    ["a number for name", `{"name":1}`, "'name' must be a string"],
    ["name null", `{"name":null}`, "Missing 'name'"],
    ["no name", `{}`, "Missing 'name'"],
    ["a name in __proto__ only", `{"__proto__":{"name":"a"}}`, "Missing 'name'"],
    ["an array", `["orders"]`, "array"],
    ["null", "null", "null"],
    ["a string", `"orders"`, "string"],
    ["a number", "1", "number"],
    ["no body", null, "JSON"],
    ["an empty body", "", "JSON"],
    ["what is not JSON", "name=orders", "JSON"],
    ["JSON that breaks off", `{"name":"a`, "JSON"],
    ["what is not UTF-8", new Uint8Array([...Buffer.from(`{"name":"`), 0xff, ...Buffer.from(`"}`)]), "UTF-8"],
    ["nesting of 100,000 levels", "[".repeat(100_000) + "]".repeat(100_000), ""],
  ])("of %s answers 400 and creates nothing", async (_what, body, words) => {
    await using server = startTestServer();
    const problem = await problemOf(await post(server, body));
    expect(problem).toMatchObject({ status: 400, title: "Bad Request", code: "BAD_REQUEST" });
    expect(problem.detail).toContain(words);
    expect(await bodyOf(await get(server, "/topics"))).toEqual({ topics: [] });
  });

  test("past MAX_TOPICS answers 429, naming the limit and its value", async () => {
    await using server = startTestServer({ MAX_TOPICS: "2" });
    await createTopic(server, "a");
    await createTopic(server, "b");
    const problem = await problemOf(await post(server, `{"name":"c"}`));
    expect(problem).toMatchObject({ status: 429, code: "LIMIT_EXCEEDED" });
    expect(problem.detail).toMatch(/MAX_TOPICS.*\b2\b/);
    await bodyOf(await remove(server, "a"));
    await createTopic(server, "c");
  });
});

describe("a body of more than MAX_MESSAGE_BYTES", () => {
  const LIMIT = { MAX_MESSAGE_BYTES: "100" };
  const text = (bytes: number) => `{"name":"a"}`.padEnd(bytes);
  const chunked = (chunks: readonly string[], ends: boolean) =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(Buffer.from(chunk));
        if (ends) controller.close();
      },
    });

  test.each([
    ["with its length", text(101)],
    ["in one chunk", chunked([text(101)], true)],
    ["in chunks that fit each", chunked([text(99), " ", " "], true)],
    ["in chunks that never end", chunked([text(99), " ", " "], false)],
  ])("%s answers 413, naming the limit and its value", async (_how, body) => {
    await using server = startTestServer(LIMIT);
    const problem = await problemOf(await post(server, body));
    expect(problem).toMatchObject({ status: 413, title: "Content Too Large", code: "TOO_LARGE" });
    expect(problem.detail).toMatch(/MAX_MESSAGE_BYTES.*\b100\b/);
    expect(await bodyOf(await get(server, "/topics"))).toEqual({ topics: [] });
  });

  test("is one byte more than fits", async () => {
    await using server = startTestServer(LIMIT);
    await bodyOf(await post(server, text(100)), 201);
    await bodyOf(await remove(server, "a"));
    await bodyOf(await post(server, chunked([text(50), " ".repeat(50)], true)), 201);
  });

  test("is refused before any of it is sent, where its length says so", async () => {
    await using server = startTestServer(LIMIT);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = connect(server.port, "127.0.0.1");
    socket.once("data", (data) => resolve(String(data)));
    socket.once("error", reject);
    socket.write("POST /topics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\n\r\n");
    expect(await promise).toStartWith("HTTP/1.1 413 ");
    socket.destroy();
  });
});

describe("DELETE /topics/{name}", () => {
  test("deletes the topic and tells its subscribers", async () => {
    await using server = startTestServer();
    await using client = await Client.connect(server);
    await createTopic(server, "orders");
    await client.subscribe("orders", "c");
    expect(await bodyOf(await remove(server, "orders"))).toEqual({ status: "deleted", topic: "orders" });
    expect(await client.next()).toMatchObject({ type: "info", msg: "topic_deleted", topic: "orders" });
    expect(await client.closed).toEqual({ code: 4404, reason: "topic deleted" });
    expect(await bodyOf(await get(server, "/topics"))).toEqual({ topics: [] });
  });

  test.each(["orders", "x".repeat(256), "a%00b", "__proto__", "constructor"])(
    "of a topic that does not exist answers 404: %s",
    async (name) => {
      await using server = startTestServer();
      const problem = await problemOf(await remove(server, name));
      expect(problem).toMatchObject({ status: 404, title: "Not Found", code: "TOPIC_NOT_FOUND" });
      expect(problem.detail).toBe(`Topic '${decodeURIComponent(name)}' not found`);
    },
  );

  test("twice answers 404 the second time", async () => {
    await using server = startTestServer();
    await createTopic(server, "orders");
    await bodyOf(await remove(server, "orders"));
    expect((await problemOf(await remove(server, "orders"))).code).toBe("TOPIC_NOT_FOUND");
  });

  test.each(["a/b", "naïve 😀", "a%2Fb", "a+b", "a b", "?#&=", `"`, ":name", "__proto__", "x".repeat(255)])(
    "takes the name percent-encoded: %s",
    async (name) => {
      await using server = startTestServer();
      await createTopic(server, name);
      expect(await bodyOf(await get(server, "/topics"))).toEqual({ topics: [{ name, subscribers: 0 }] });
      expect(await bodyOf(await remove(server, encodeURIComponent(name)))).toEqual({ status: "deleted", topic: name });
    },
  );

  test.each(["%", "%zz", "%ff", "a%2", "%E0%A4", "%ED%A0%80"])(
    "of the malformed %s answers 400 or 404 and not 500",
    async (path) => {
      await using server = startTestServer();
      expect([400, 404]).toContain((await problemOf(await remove(server, path))).status);
      expect(server.lines).toEqual([]);
    },
  );

  test.each(["%ff", "%zz", "%E0%A4"])("of the malformed %s deletes no topic that has another name", async (path) => {
    await using server = startTestServer();
    for (let length = 1; length <= 3; length++) await createTopic(server, "\uFFFD".repeat(length));
    expect([400, 404]).toContain((await problemOf(await remove(server, path))).status);
  });
});

describe("GET /topics", () => {
  test("of no topics is an empty list", async () => {
    await using server = startTestServer();
    expect(await bodyOf(await get(server, "/topics"))).toEqual({ topics: [] });
  });

  test("counts the subscribers of each topic, these two keys exactly", async () => {
    await using server = startTestServer();
    await using client = await Client.connect(server);
    for (const name of ["a", "b"]) await createTopic(server, name);
    for (const id of ["x", "y", "y"]) await client.subscribe("a", id);
    expect(await bodyOf(await get(server, "/topics"))).toEqual({
      topics: [
        { name: "a", subscribers: 2 },
        { name: "b", subscribers: 0 },
      ],
    });
    await client.ask({ type: "unsubscribe", topic: "a", client_id: "y" });
    expect(await bodyOf(await get(server, "/topics"))).toMatchObject({ topics: [{ subscribers: 1 }, {}] });
  });
});

describe("GET /health", () => {
  const healthOf = async (server: { url: string }) => {
    return ANSWERS["GET /health"].parse(await bodyOf(await get(server, "/health")));
  };

  test("counts topics and all their subscribers, these three keys exactly", async () => {
    await using server = startTestServer();
    await using client = await Client.connect(server);
    expect(await healthOf(server)).toMatchObject({ topics: 0, subscribers: 0 });
    for (const name of ["a", "b"]) await createTopic(server, name);
    for (const name of ["a", "b"]) await client.subscribe(name, "c");
    await client.subscribe("a", "d");
    expect(await healthOf(server)).toMatchObject({ topics: 2, subscribers: 3 });
    await bodyOf(await remove(server, "a"));
    expect(await healthOf(server)).toMatchObject({ topics: 1, subscribers: 1 });
  });
});

describe("GET /stats", () => {
  test("of no topics is an empty object", async () => {
    await using server = startTestServer();
    expect(await bodyOf(await get(server, "/stats"))).toEqual({ topics: {} });
  });

  test("counts what was published since a topic's creation, and its subscribers, these two keys exactly", async () => {
    await using server = startTestServer({ MAX_HISTORY: "1" });
    await using client = await Client.connect(server);
    for (const name of ["a", "b"]) await createTopic(server, name);
    for (let i = 0; i < 3; i++) await client.publish("a", i);
    await client.subscribe("b", "c");
    const statsOf = async () => bodyOf(await get(server, "/stats"));
    expect(await statsOf()).toEqual({
      topics: { a: { messages: 3, subscribers: 0 }, b: { messages: 0, subscribers: 1 } },
    });
    await bodyOf(await remove(server, "a"));
    await createTopic(server, "a");
    expect(await statsOf()).toEqual({
      topics: { b: { messages: 0, subscribers: 1 }, a: { messages: 0, subscribers: 0 } },
    });
  });

  test.each(["__proto__", "constructor", `"`, "é😀"])("shows the topic %s", async (name) => {
    await using server = startTestServer();
    await createTopic(server, name);
    const text = await (await get(server, "/stats")).text();
    expect(text).toBe(`{"topics":{${JSON.stringify(name)}:{"messages":0,"subscribers":0}}}`);
  });
});

describe("GET /livez and /readyz", () => {
  test.each(["/livez", "/readyz"])("%s answers 200", async (path) => {
    await using server = startTestServer();
    expect(await bodyOf(await get(server, path))).toEqual({ status: "ok" });
  });

  test("answer 200 and 503 while the server waits for a subscriber to take what is queued", async () => {
    await using server = startTestServer({ SHUTDOWN_GRACE_MS: "3600000" });
    await createTopic(server, "t");
    const stalled = await RawClient.subscribe(server, "stalled");
    const publisher = await Client.connect(server);
    const megabyte = "x".repeat(1_000_000);
    for (let i = 0; i < 40; i++) await publisher.publish("t", megabyte);

    const stopped = server.stop();
    expect((await get(server, "/livez")).status).toBe(200);
    expect(await problemOf(await get(server, "/readyz"))).toMatchObject({ status: 503, code: "SHUTTING_DOWN" });
    for (const path of ["/health", "/stats"]) await bodyOf(await get(server, path));
    for (const refused of [
      post(server, `{"name":"u"}`),
      get(server, "/topics"),
      get(server, "/ws"),
      remove(server, "t"),
    ]) {
      expect(await problemOf(await refused)).toMatchObject({ status: 503, code: "SHUTTING_DOWN" });
    }
    stalled.cut();
    await stopped;
  });
});

describe("a path", () => {
  test.each(["/dashboard", "/nope", "/topics/", "/topics/a/b/c", "/ws/x", "/.env"])(
    "that is unknown answers 404: %s",
    async (path) => {
      await using server = startTestServer();
      for (const method of ["GET", "POST", "DELETE"]) {
        const problem = await problemOf(await fetch(server.url + path, { method }));
        expect(problem).toMatchObject({ status: 404, title: "Not Found" });
        expect(problem.detail).toContain(path);
      }
    },
  );

  const allowed: [string, string[]][] = [
    ["/topics", ["GET", "HEAD", "POST"]],
    ["/topics/x", ["DELETE", "GET", "HEAD"]],
    ["/topics/x/messages", ["GET", "HEAD", "POST"]],
    ["/topics/x/events", ["GET", "HEAD"]],
    ["/metrics", ["GET", "HEAD"]],
    ["/health", ["GET", "HEAD"]],
    ["/stats", ["GET", "HEAD"]],
    ["/livez", ["GET", "HEAD"]],
    ["/readyz", ["GET", "HEAD"]],
    ["/ws", ["GET", "HEAD"]],
  ];

  test.each(allowed)("asked by a wrong method answers 405 with Allow: %s", async (path, methods) => {
    await using server = startTestServer();
    await createTopic(server, "x");
    for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]) {
      if (methods.includes(method)) continue;
      const response = await fetch(server.url + path, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")?.split(", ").sort()).toEqual([...methods, "OPTIONS"].sort());
      if (method !== "HEAD") expect((await problemOf(response)).detail).toContain(method);
    }
  });

  test.each(allowed)("answers OPTIONS with its methods: %s", async (path, methods) => {
    await using server = startTestServer();
    const response = await fetch(server.url + path, { method: "OPTIONS" });
    expect(response.status).toBe(204);
    expect(response.headers.get("allow")?.split(", ").sort()).toEqual([...methods, "OPTIONS"].sort());
    expect(await response.text()).toBe("");
  });

  test.each(["/topics", "/health", "/stats", "/livez", "/readyz"])(
    "answers HEAD as GET, without a body: %s",
    async (path) => {
      await using server = startTestServer();
      const response = await fetch(server.url + path, { method: "HEAD" });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toStartWith("application/json");
      expect(await response.text()).toBe("");
    },
  );

  test("/ws without an upgrade answers 426", async () => {
    await using server = startTestServer();
    const response = await get(server, "/ws");
    expect(response.headers.get("upgrade")?.toLowerCase()).toBe("websocket");
    expect(await problemOf(response)).toMatchObject({ status: 426, title: "Upgrade Required" });
  });
});

describe("an Origin", () => {
  const LIST = "https://a.example, http://localhost:3000";
  const cases: [string, string | undefined, string, boolean][] = [
    ["of another host", undefined, "https://a.example", false],
    ["of the same address and another port", undefined, OTHER_PORT, false],
    ["of a sandboxed page", undefined, "null", false],
    ["that is no origin", undefined, "nonsense", false],
    ["on the list", LIST, "https://a.example", true],
    ["on the list, with its port", LIST, "http://localhost:3000", true],
    ["of another scheme than the list's", LIST, "http://a.example", false],
    ["of another port than the list's", LIST, "http://localhost:3001", false],
    ["that begins like one on the list", LIST, "https://a.example.org", false],
    ["that ends like one on the list", LIST, "https://x.a.example", false],
    ["where all are allowed", "*", "https://b.example", true],
    ["of a sandboxed page where all are allowed", "*", "null", true],
  ];

  test.each(cases)("%s (ALLOWED_ORIGINS=%s, %s): passes is %p", async (_what, allowed, origin, passes) => {
    await using server = startTestServer(allowed === undefined ? {} : { ALLOWED_ORIGINS: allowed });
    const response = await post(server, `{"name":"t"}`, { origin });
    const preflight = await fetch(`${server.url}/topics/t`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "DELETE", "access-control-request-headers": "x-a" },
    });
    if (passes) {
      await bodyOf(response, 201);
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get("access-control-allow-methods")?.split(", ")).toContain("DELETE");
      expect(preflight.headers.get("access-control-allow-headers")).toContain("x-a");
      await using client = await Client.connect(server, { origin });
      expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
    } else {
      expect(await problemOf(response)).toMatchObject({ status: 403, title: "Forbidden", code: "FORBIDDEN" });
      expect(preflight.status).toBe(403);
      await expect(Client.connect(server, { origin })).rejects.toThrow("Cannot connect");
      expect(await bodyOf(await get(server, "/topics"))).toEqual({ topics: [] });
    }
    for (const { headers } of [response, preflight]) {
      expect(headers.get("access-control-allow-origin")).toBe(passes ? origin : null);
      if (passes) expect(headers.get("vary")?.toLowerCase()).toContain("origin");
    }
  });

  test("of the server's own host passes, by whatever name it was reached that cannot be another's", async () => {
    await using server = startTestServer();
    const rebound = { host: "pubsub.example", origin: "http://pubsub.example" };
    expect((await get(server, "/topics", rebound)).status).toBe(403);
    for (const host of [`127.0.0.1:${server.port}`, `localhost:${server.port}`]) {
      for (const scheme of ["http", "https"]) {
        await bodyOf(await get(server, "/topics", { host, origin: `${scheme}://${host}` }));
      }
    }
    await using client = await Client.connect(server, { origin: server.url });
    expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  });

  test("that is absent passes, whatever the list", async () => {
    await using server = startTestServer({ ALLOWED_ORIGINS: LIST });
    const response = await get(server, "/topics");
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    await bodyOf(response);
  });

  test.each([
    ["a bad request", "POST", "/topics"],
    ["a wrong method", "PUT", "/topics"],
    ["an unknown topic", "DELETE", "/topics/none"],
    ["an unknown path", "GET", "/nope"],
  ])("that is allowed may read the error of %s", async (_what, method, path) => {
    await using server = startTestServer({ ALLOWED_ORIGINS: LIST });
    const origin = "https://a.example";
    const response = await fetch(server.url + path, { method, headers: { origin } });
    await problemOf(response);
    expect(response.headers.get("access-control-allow-origin")).toBe(origin);
  });
});
