import { afterAll, describe, expect, test } from "bun:test";
import { problemOf } from "../support/answers.ts";
import { Client, ID } from "../support/client.ts";
import { TestCredentials } from "../support/credentials.ts";
import { startGuardedServer, type TestServer } from "../support/server.ts";

const credentials = new TestCredentials();
const bad: Record<string, string> = {
  "that is nonsense": "nonsense",
  "that is an unknown key": "psk_unknown",
  ...(await credentials.bad()),
};
const server: TestServer = await startGuardedServer({ ...credentials.env, TOPICS: "t,other", LOG_LEVEL: "debug" });
afterAll(async () => {
  await server.stop();
  credentials[Symbol.dispose]();
});

type Needs = "nothing" | "credential" | "topic" | "admin";

/** Every path and method, and what it needs. */
const ROUTES: [method: string, path: string, needs: Needs, body?: object][] = [
  ["GET", "/topics", "credential"],
  ["POST", "/topics", "admin", { name: "" }],
  ["GET", "/topics/t", "admin"],
  ["DELETE", "/topics/none", "admin"],
  ["GET", "/topics/t/messages", "topic"],
  ["POST", "/topics/t/messages", "topic", { payload: 1 }],
  ["GET", "/topics/t/events", "topic"],
  ["HEAD", "/topics/t/events", "topic"],
  ["GET", "/health", "credential"],
  ["GET", "/stats", "admin"],
  ["GET", "/metrics", "admin"],
  ["GET", "/livez", "nothing"],
  ["GET", "/readyz", "nothing"],
  ["GET", "/", "nothing"],
  ["GET", "/dashboard.js", "nothing"],
  ["GET", "/dashboard.css", "nothing"],
  ["GET", "/client.js", "nothing"],
  ["GET", "/openapi.json", "nothing"],
  ["GET", "/asyncapi.json", "nothing"],
  ["PUT", "/topics", "credential"],
  ["GET", "/nowhere", "credential"],
  ["OPTIONS", "/topics", "nothing"],
];

async function ask(method: string, path: string, headers: Record<string, string>, body?: object): Promise<number> {
  const controller = new AbortController();
  const init = { method, headers, signal: controller.signal, ...(body && { body: JSON.stringify(body) }) };
  const { status } = await fetch(`${server.url}${path}`, init);
  controller.abort();
  return status;
}

const granted = (needs: Needs, status: number) => expect([needs, [401, 403].includes(status)]).toEqual([needs, false]);

describe.each(ROUTES)("%s %s", (method, path, needs, body) => {
  const statusWith = (headers: Record<string, string>) => ask(method, path, headers, body);

  test("without a credential is answered 401, unless it needs none", async () => {
    const status = await statusWith({});
    if (needs === "nothing") granted(needs, status);
    else expect(status).toBe(401);
  });

  test.each(Object.entries(bad))("with a credential %s is answered 401, unless it needs none", async (_what, text) => {
    for (const headers of [{ authorization: `Bearer ${text}` }, { "x-api-key": text }]) {
      const status = await statusWith(headers);
      if (needs === "nothing") granted(needs, status);
      else expect(status).toBe(401);
    }
  });

  test("with a right credential that does not allow it is answered 403", async () => {
    const { keys } = credentials;
    const forTopic = [keys.none.key, await credentials.token({}, credentials.none), await credentials.token({}, {})];
    const forAdmin = [...forTopic, keys.some.key, await credentials.token()];
    for (const text of needs === "admin" ? forAdmin : forTopic) {
      const status = await statusWith({ authorization: `Bearer ${text}` });
      if (needs === "nothing" || needs === "credential") granted(needs, status);
      else expect(status).toBe(403);
    }
  });

  test("with a right credential that allows it is answered", async () => {
    const { keys } = credentials;
    const forAdmin = [keys.all.key, await credentials.signed(credentials.all)];
    const forTopic = [...forAdmin, keys.some.key, await credentials.token(), await credentials.signed()];
    for (const text of needs === "admin" ? forAdmin : forTopic) {
      granted(needs, await statusWith({ authorization: `Bearer ${text}` }));
    }
    granted(needs, await statusWith({ "x-api-key": keys.all.key }));
  });
});

test("an EventSource shows a token in the query, and no key, and nothing else takes one there", async () => {
  const token = await credentials.token();
  const get = (path: string) => ask("GET", path, {});
  granted("topic", await get(`/topics/t/events?access_token=${token}`));
  expect(await get(`/topics/t/events?access_token=${credentials.keys.all.key}`)).toBe(401);
  expect(await get(`/topics/other/events?access_token=${token}`)).toBe(403);
  const admin = await credentials.signed(credentials.all);
  expect(await ask("DELETE", `/topics/events?access_token=${admin}`, {})).toBe(401);
  for (const path of ["/topics", "/topics/t/messages", "/health", "/ws"]) {
    expect([401, 426]).toContain(await get(`${path}?access_token=${token}`));
  }
  for (const [what, text] of Object.entries(bad)) {
    expect(await get(`/topics/t/events?access_token=${encodeURIComponent(text)}`), what).toBe(401);
  }
});

test("who is refused is told how to be let in, and never what was shown", async () => {
  const none = await fetch(`${server.url}/topics`);
  expect(none.headers.get("www-authenticate")).toBe(`Bearer realm="pubsub"`);
  expect(await problemOf(none)).toMatchObject({ status: 401, code: "UNAUTHORIZED" });
  for (const text of Object.values(bad)) {
    const wrong = await fetch(`${server.url}/topics`, { headers: { authorization: `Bearer ${text}` } });
    expect(wrong.headers.get("www-authenticate")).toBe(`Bearer realm="pubsub", error="invalid_token"`);
    expect(await wrong.text()).not.toContain(text);
  }
  const narrow = await fetch(`${server.url}/stats`, { headers: { "x-api-key": credentials.keys.some.key } });
  expect(narrow.headers.get("www-authenticate")).toBe(`Bearer realm="pubsub", error="insufficient_scope"`);
  expect((await problemOf(narrow)).detail).toBe("This credential does not allow 'admin'");
  const expired = await fetch(`${server.url}/topics`, {
    headers: { authorization: `Bearer ${bad["that has expired"]}` },
  });
  expect((await problemOf(expired)).detail).toBe("The token has expired");
});

test("GET /topics lists all to an admin, and to others what they may subscribe to", async () => {
  const listed = async (text: string) => {
    const answer = await fetch(`${server.url}/topics`, { headers: { authorization: `Bearer ${text}` } });
    const { topics }: { topics: { name: string }[] } = JSON.parse(await answer.text());
    return topics.map(({ name }) => name);
  };
  expect(await listed(credentials.keys.all.key)).toEqual(["t", "other"]);
  expect(await listed(credentials.keys.some.key)).toEqual(["t"]);
  expect(await listed(await credentials.token({}, credentials.none))).toEqual(["other"]);
});

describe("over a WebSocket", () => {
  const message = { id: ID, payload: 1 };
  const FRAMES: [what: string, frame: object, needs: "credential" | "topic"][] = [
    ["publish", { type: "publish", topic: "t", message }, "topic"],
    ["publish a batch", { type: "publish", topic: "t", messages: [message] }, "topic"],
    ["subscribe", { type: "subscribe", topic: "t", client_id: "me" }, "topic"],
    ["unsubscribe", { type: "unsubscribe", topic: "t", client_id: "me" }, "topic"],
    ["ping", { type: "ping" }, "credential"],
  ];
  const codeOf = async (client: Client, frame: object) => (await client.ask(frame)).error?.code;

  test.each(FRAMES)("to %s needs a credential", async (_what, frame) => {
    await using client = await Client.connect(server);
    expect(await codeOf(client, frame)).toBe("UNAUTHORIZED");
    for (const [what, token] of Object.entries(bad)) {
      expect(await codeOf(client, { type: "auth", token }), what).toBe("UNAUTHORIZED");
      expect(await codeOf(client, frame), what).toBe("UNAUTHORIZED");
    }
    expect(await codeOf(client, { type: "auth", token: await credentials.token() })).toBeUndefined();
    expect(await codeOf(client, frame)).toBeUndefined();
  });

  test.each(FRAMES)(
    "to %s needs a credential that allows it, shown in the header or the first frame",
    async (_what, frame, needs) => {
      const texts = [credentials.keys.none.key, await credentials.token({}, credentials.none)];
      for (const text of texts) {
        const expected = needs === "topic" ? "FORBIDDEN" : undefined;
        await using byHeader = await Client.connect(server, { authorization: `Bearer ${text}` });
        expect(await codeOf(byHeader, frame)).toBe(expected);
        await using byFrame = await Client.connect(server);
        expect(await codeOf(byFrame, { type: "auth", token: text })).toBeUndefined();
        expect(await codeOf(byFrame, frame)).toBe(expected);
        expect(await codeOf(byFrame, { type: "ping" })).toBeUndefined();
      }
      for (const text of [credentials.keys.some.key, await credentials.signed()]) {
        await using client = await Client.connect(server, { authorization: `Bearer ${text}` });
        expect(await codeOf(client, frame)).toBeUndefined();
      }
    },
  );

  test.each(Object.entries(bad))("a handshake with a credential %s is refused", async (_what, text) => {
    for (const headers of [{ authorization: `Bearer ${text}` }, { "x-api-key": text }]) {
      expect(Client.connect(server, headers)).rejects.toThrow();
    }
    const upgrade = { upgrade: "websocket", connection: "upgrade", authorization: `Bearer ${text}` };
    expect(await ask("GET", "/ws", upgrade)).toBe(401);
  });

  test("what follows the first frame in one go is answered after it, in order", async () => {
    await using client = await Client.connect(server);
    client.send({ type: "auth", token: await credentials.token(), request_id: 0 });
    for (let i = 1; i <= 5; i++) client.send({ type: "publish", topic: "t", message, request_id: i });
    const answers = await client.take(6);
    expect(answers.map(({ type, request_id }) => [type, request_id])).toEqual(
      [0, 1, 2, 3, 4, 5].map((id) => ["ack", id]),
    );
    expect(Date.parse(String(answers[0]?.["expires_at"]))).toBeGreaterThan(Date.now());
  });
});

test("no credential stands in the log or the metrics, and none is handed on", async () => {
  const shown = { ...bad, good: await credentials.token(), key: credentials.keys.all.key };
  for (const text of Object.values(shown)) {
    const query = `access_token=${encodeURIComponent(text)}`;
    for (const path of ["/topics/t/events", "/topics", "/nowhere", "/metrics"]) {
      const controller = new AbortController();
      const answer = await fetch(`${server.url}${path}?${query}`, { signal: controller.signal });
      if (answer.ok) expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
      else expect(await answer.text()).not.toContain(text);
      controller.abort();
    }
  }
  const headers = { authorization: `Bearer ${credentials.keys.all.key}` };
  const metrics = await (await fetch(`${server.url}/metrics`, { headers })).text();
  const lines = server.lines.join("\n");
  for (const reason of ["refused: unauthorized", "connected", "subscribed"]) expect(lines).toContain(reason);
  for (const text of Object.values(shown))
    expect([lines.includes(text), metrics.includes(text)]).toEqual([false, false]);
});

test("a bad credential on a connection that has a good one is refused, and changes nothing", async () => {
  await using client = await Client.connect(server, { authorization: `Bearer ${credentials.keys.some.key}` });
  for (const token of Object.values(bad)) {
    expect(await client.ask({ type: "auth", token })).toMatchObject({ type: "error", error: { code: "UNAUTHORIZED" } });
  }
  const message = { id: ID, payload: 1 };
  expect(await client.ask({ type: "publish", topic: "t", message })).toMatchObject({ type: "ack" });
});
