import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { encodeEvent, topicText } from "../../src/protocol/encode.ts";
import { range } from "../support/account.ts";
import { history, jsonOf, post, problemOf, publishBody, topicUrl } from "../support/answers.ts";
import { Client, ID } from "../support/client.ts";
import { createTopic, startTestServer, stats } from "../support/server.ts";

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const OTHER_ID = "FFFFFFFF-0000-0000-0000-00000000000a";
const NAMES = ["a/b", "a%2Fb", "naïve 😀", "a b+c", "?#&=", `"message":{`, "\\", ":name", "__proto__", "x".repeat(255)];

const payloadsOf = ({ messages }: { messages: readonly { payload?: unknown }[] }) =>
  messages.map(({ payload }) => payload);

describe("POST /topics/{name}/messages", () => {
  test("publishes a message to its subscribers, and answers where it stands", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    const { epoch } = await client.subscribe("t", "me");
    const before = Date.now();
    const answer = await publishBody(server, "t", { id: OTHER_ID, payload: { a: [1] } });
    expect(answer).toEqual({ status: "ok", topic: "t", epoch: String(epoch), first_seq: 1, seq: 1, ids: [OTHER_ID] });
    const event = await client.next();
    expect(Date.parse(event.ts)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(event.ts)).toBeLessThanOrEqual(Date.now());
    expect(event).toMatchObject({ type: "event", topic: "t", seq: 1, message: { id: OTHER_ID, payload: { a: [1] } } });
    const [message] = (await history(server, "t")).messages;
    expect(message).toEqual({ seq: 1, ts: event.ts, id: OTHER_ID, payload: { a: [1] } });
  });

  test("makes ids that were left out: UUIDs of version 7, no two the same", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const { ids } = await publishBody(server, "t", { messages: range(1, 500).map((payload) => ({ payload })) });
    for (let i = 0; i < 3; i++) ids.push(...(await publishBody(server, "t", { payload: i, id: null })).ids);
    for (const id of ids) expect(id).toMatch(UUID_V7);
    expect(new Set(ids).size).toBe(503);
    expect((await history(server, "t")).messages.map(({ id }) => id)).toEqual(ids.slice(-100));
  });

  test("keeps the ids that were given, in their order among those that are made", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const messages = [{ payload: 1 }, { id: OTHER_ID, payload: 2 }, { id: null, payload: 3 }, { id: ID, payload: 4 }];
    const { ids, first_seq, seq } = await publishBody(server, "t", { messages });
    expect([first_seq, seq]).toEqual([1, 4]);
    const made = expect.stringMatching(UUID_V7);
    expect(ids).toEqual([made, OTHER_ID, made, ID]);
    const kept = (await history(server, "t")).messages;
    expect(kept.map(({ seq, id, payload }) => ({ seq, id, payload }))).toEqual(
      ids.map((id, index) => ({ seq: index + 1, id, payload: index + 1 })),
    );
  });

  test("publishes the same id again, as often as it is sent", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await publishBody(server, "t", {
      messages: [
        { id: ID, payload: 1 },
        { id: ID, payload: 2 },
      ],
    });
    await publishBody(server, "t", { id: ID, payload: 1 });
    expect((await history(server, "t")).messages.map(({ id }) => id)).toEqual([ID, ID, ID]);
  });

  test("numbers its messages in one sequence with those of a WebSocket", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    expect(await client.publish("t", 1)).toMatchObject({ seq: 1 });
    expect(await publishBody(server, "t", { payload: 2 })).toMatchObject({ first_seq: 2, seq: 2 });
    const batch = [3, 4].map((payload) => ({ id: ID, payload }));
    const ack = await client.ask({ type: "publish", topic: "t", messages: batch });
    expect(ack).toMatchObject({ first_seq: 3, seq: 4, count: 2 });
    expect(await publishBody(server, "t", { messages: [{ payload: 5 }, { payload: 6 }] })).toMatchObject({
      first_seq: 5,
      seq: 6,
      epoch: ack.epoch,
    });
    expect(payloadsOf(await history(server, "t"))).toEqual(range(1, 6));
  });

  test("brings a batch that is longer than history and queue whole, in order, to one who reads", async () => {
    await using server = startTestServer({ MAX_HISTORY: "3", MAX_SUBSCRIBER_QUEUE: "2" });
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await client.subscribe("t", "me");
    const messages = range(1, 1000).map((payload) => ({ payload }));
    expect(await publishBody(server, "t", { messages })).toMatchObject({ first_seq: 1, seq: 1000 });
    const events = await client.take(1000);
    expect(events.map(({ seq, message }) => [seq, message?.payload])).toEqual(range(1, 1000).map((n) => [n, n]));
    expect(payloadsOf(await history(server, "t"))).toEqual([998, 999, 1000]);
  });

  test("of many at a time keeps each batch together", async () => {
    await using server = startTestServer({ MAX_HISTORY: "1000" });
    await createTopic(server, "t");
    const answers = await Promise.all(
      range(1, 30).map((sender) => {
        return publishBody(server, "t", { messages: range(1, 7).map((part) => ({ payload: { sender, part } })) });
      }),
    );
    const ids = answers.toSorted((a, b) => a.seq - b.seq).flatMap((answer) => answer.ids);
    const { messages, seq } = await history(server, "t");
    expect(seq).toBe(210);
    expect(messages.map(({ id }) => id)).toEqual(ids);
    for (const { first_seq, seq: last } of answers) expect(last - first_seq).toBe(6);
  });

  const bad: [string, string, string][] = [
    ["no body", "", "Not valid JSON"],
    ["a body that breaks off", `{"payload":1`, "Not valid JSON"],
    ["null", "null", "The body must be a JSON object, not null"],
    ["a bare payload", "1", "The body must be a JSON object, not a number"],
    ["a bare list", `[{"payload":1}]`, "The body must be a JSON object, not an array"],
    ["no payload", `{"id":"${ID}"}`, "Missing 'payload'"],
    ["a bad id", `{"id":"x","payload":1}`, "id must be a valid UUID"],
    ["an empty list", `{"messages":[]}`, "'messages' must not be empty"],
    ["no list", `{"messages":{"payload":1}}`, "'messages' must be an array"],
    ["payload and messages", `{"payload":1,"messages":[{"payload":1}]}`, "'payload' and 'messages' exclude each other"],
    ["a last one that is null", `{"messages":[{"payload":1},{"payload":2},null]}`, "'messages[2]' must be an object"],
    ["a last one without payload", `{"messages":[{"payload":1},{"payload":2},{}]}`, "Missing 'messages[2].payload'"],
    ["a second one of a bad id", `{"messages":[{"payload":1},{"id":"","payload":2}]}`, "messages[1].id must be"],
  ];

  test("publishes nothing of what is wrong in part", async () => {
    await using server = startTestServer({ AUTO_CREATE_TOPICS: "true" });
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await client.subscribe("t", "me");
    for (const [what, body, words] of bad) {
      for (const topic of ["t", "new"]) {
        const problem = await problemOf(await post(server, topic, body));
        expect(problem, what).toMatchObject({ status: 400, title: "Bad Request", code: "BAD_REQUEST" });
        expect(problem.detail, what).toContain(words);
      }
    }
    expect(await stats(server)).toEqual({ t: { messages: 0, subscribers: 1 } });
    expect(await publishBody(server, "t", { payload: "good" })).toMatchObject({ first_seq: 1, seq: 1 });
    expect((await client.settle()).map(({ message }) => message?.payload)).toEqual(["good"]);
    expect(payloadsOf(await history(server, "t"))).toEqual(["good"]);
  });

  test("refuses what is not UTF-8", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const body = new Uint8Array([...Buffer.from(`{"payload":"`), 0xff, ...Buffer.from(`"}`)]);
    const response = await fetch(topicUrl(server, "t", "/messages"), { method: "POST", body });
    expect((await problemOf(response)).detail).toContain("UTF-8");
    expect(await stats(server)).toMatchObject({ t: { messages: 0 } });
  });

  test("to a topic that does not exist answers 404 and creates none", async () => {
    await using server = startTestServer();
    expect(await problemOf(await post(server, "none", { payload: 1 }))).toMatchObject({
      status: 404,
      code: "TOPIC_NOT_FOUND",
      detail: "Topic 'none' not found",
    });
    expect(await stats(server)).toEqual({});
  });

  test("of more than MAX_MESSAGE_BYTES answers 413, and takes one byte less", async () => {
    await using server = startTestServer({ MAX_MESSAGE_BYTES: "1000" });
    await createTopic(server, "t");
    const body = `{"messages":[{"payload":1},{"payload":2}]}`;
    const problem = await problemOf(await post(server, "t", body.padEnd(1001)));
    expect(problem).toMatchObject({ status: 413, title: "Content Too Large", code: "TOO_LARGE" });
    expect(problem.detail).toMatch(/MAX_MESSAGE_BYTES.*\b1000\b/);
    expect(await publishBody(server, "t", body.padEnd(1000))).toMatchObject({ first_seq: 1, seq: 2 });
  });

  /** What an early event of topic `t` takes on the wire. */
  const eventBytes = (payload: string) => {
    const message = { id: ID, payload: JSON.stringify(payload) };
    return Buffer.byteLength(encodeEvent(topicText("t", "e"), 1, message, new Date(0).toISOString()));
  };

  test("whose event would be larger than MAX_MESSAGE_BYTES answers 413 and publishes none of a batch", async () => {
    await using server = startTestServer({ MAX_MESSAGE_BYTES: "1000" });
    await createTopic(server, "t");
    const room = 1000 - eventBytes("");
    for (const payload of ["x", "é", "\u{1f600}"]) {
      const fits = payload.repeat(Math.floor(room / Buffer.byteLength(payload)));
      expect(eventBytes(fits)).toBeWithin(1000 - Buffer.byteLength(payload) + 1, 1001);
      const before = await stats(server);
      const problem = await problemOf(
        await post(server, "t", { messages: [{ payload: 1 }, { payload: fits + payload }] }),
      );
      expect(problem).toMatchObject({ status: 413, code: "TOO_LARGE" });
      expect(problem.detail).toMatch(/^messages\[1\] makes an event of 100\d bytes, and MAX_MESSAGE_BYTES is 1000$/);
      expect(await stats(server)).toEqual(before);
    }
  });

  test.each(["PUT", "PATCH", "DELETE"])("is not done by %s: 405, and nothing is published", async (method) => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const response = await fetch(topicUrl(server, "t", "/messages"), { method, body: `{"payload":1}` });
    expect(response.headers.get("allow")?.split(", ").sort()).toEqual(["GET", "HEAD", "OPTIONS", "POST"]);
    expect(await problemOf(response)).toMatchObject({ status: 405, title: "Method Not Allowed" });
    expect(await stats(server)).toEqual({ t: { messages: 0, subscribers: 0 } });
  });

  test.each(NAMES)("takes the topic's name percent-encoded: %s", async (name) => {
    await using server = startTestServer();
    await createTopic(server, name);
    expect(await publishBody(server, name, { payload: 1 })).toMatchObject({ topic: name, seq: 1 });
    expect(await history(server, name)).toMatchObject({ topic: name, seq: 1, messages: [{ payload: 1 }] });
  });
});

describe("AUTO_CREATE_TOPICS", () => {
  test("lets a publish over HTTP create its topic, and a look at one not", async () => {
    await using server = startTestServer({ AUTO_CREATE_TOPICS: "true" });
    for (const path of ["", "/messages"]) {
      expect(await problemOf(await fetch(topicUrl(server, "new", path)))).toMatchObject({ status: 404 });
    }
    expect(await stats(server)).toEqual({});
    expect(await publishBody(server, "new", { payload: 1 })).toMatchObject({ topic: "new", first_seq: 1 });
    expect(await publishBody(server, "new", { payload: 2 })).toMatchObject({ first_seq: 2 });
    expect(payloadsOf(await history(server, "new"))).toEqual([1, 2]);
  });

  test("creates no more than MAX_TOPICS over HTTP", async () => {
    await using server = startTestServer({ AUTO_CREATE_TOPICS: "true", MAX_TOPICS: "1" });
    await publishBody(server, "a", { payload: 1 });
    const problem = await problemOf(await post(server, "b", { payload: 1 }));
    expect(problem).toMatchObject({ status: 429, code: "LIMIT_EXCEEDED" });
    expect(Object.keys(await stats(server))).toEqual(["a"]);
  });
});

describe("a payload", () => {
  const PAYLOADS = [
    "null",
    "-0",
    "1.10",
    "12345678901234567890",
    "1e400",
    `"\\u0041\\/\\ud800 \\"}],{["`,
    `"é😀\u2028\ufeff"`,
    `{ "b" : 1,\r\n\t"a":2, "b":[ ] }`,
    `{"message":{"id":"x","payload":1},"messages":[{"payload":2}],"payload":3}`,
    `"\\"message\\":{"`,
    `[{"seq":9,"ts":"x"},{"id":"y"}]`,
  ];

  test("comes verbatim from HTTP to a WebSocket and to history, alone and in a batch", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await client.subscribe("t", "me");
    for (const payload of PAYLOADS) await publishBody(server, "t", `{ "payload" : ${payload} , "x":{"payload":0}}`);
    const elements = PAYLOADS.map((payload) => ` { "x":{"payload":0},"p\\u0061yload" :${payload}\n}`);
    await publishBody(server, "t", `{"messages":[${elements.join(",")}]}`);
    const text = await jsonOf(await fetch(topicUrl(server, "t", "/messages")));
    const { messages } = await history(server, "t");
    const entries: string[] = [];
    for (const payload of [...PAYLOADS, ...PAYLOADS]) {
      const event = await client.nextText();
      expect(event).toEndWith(`,"payload":${payload}}}`);
      const {
        seq = 0,
        ts,
        message,
      } = z.object({ seq: z.int(), ts: z.string(), message: z.object({ id: z.string() }) }).parse(JSON.parse(event));
      entries.push(`{"seq":${seq},"ts":"${ts}","id":"${message.id}","payload":${payload}}`);
    }
    expect(text).toEndWith(`"messages":[${entries.join(",")}]}`);
    expect(payloadsOf({ messages })).toEqual([...PAYLOADS, ...PAYLOADS].map((payload): unknown => JSON.parse(payload)));
  });

  test("comes verbatim from a batch over a WebSocket to history", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    const elements = PAYLOADS.map((payload) => `{"payload": ${payload} ,"id":"${ID}"}`);
    await client.ask(`{"type":"publish","topic":"t","messages":[${elements.join(",")}]}`);
    const text = await jsonOf(await fetch(topicUrl(server, "t", "/messages")));
    for (const payload of PAYLOADS) expect(text).toContain(`"id":"${ID}","payload":${payload}}`);
  });
});

describe("a page of another origin", () => {
  const origin = "https://a.example";
  const ALLOWED = { ALLOWED_ORIGINS: origin };

  test("that is allowed may publish, read history and look at a topic, and read why it may not", async () => {
    await using server = startTestServer(ALLOWED);
    await createTopic(server, "t");
    const answers = [
      await post(server, "t", { payload: 1 }, { headers: { origin, "content-type": "application/json" } }),
      await post(server, "t", "rubbish", { headers: { origin } }),
      await post(server, "none", { payload: 1 }, { headers: { origin } }),
      await fetch(topicUrl(server, "t", "/messages"), { headers: { origin } }),
      await fetch(topicUrl(server, "t", "/messages?epoch=x"), { headers: { origin } }),
      await fetch(topicUrl(server, "t", "/messages"), { headers: { origin }, method: "PUT" }),
      await fetch(topicUrl(server, "t"), { headers: { origin } }),
      await fetch(`${server.url}/metrics`, { headers: { origin } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 404, 200, 410, 405, 200, 200]);
    for (const { headers } of answers) {
      expect(headers.get("access-control-allow-origin")).toBe(origin);
      expect(headers.get("vary")?.toLowerCase()).toContain("origin");
    }
  });

  test("that is allowed is told by a preflight that it may POST JSON", async () => {
    await using server = startTestServer(ALLOWED);
    const asked = { "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
    const preflight = await fetch(topicUrl(server, "t", "/messages"), {
      method: "OPTIONS",
      headers: { origin, ...asked },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe(origin);
    expect(preflight.headers.get("access-control-allow-methods")?.split(", ")).toContain("POST");
    expect(preflight.headers.get("access-control-allow-headers")?.toLowerCase()).toContain("content-type");
  });

  test("that is not allowed is answered 403 and publishes nothing", async () => {
    await using server = startTestServer(ALLOWED);
    await createTopic(server, "t");
    const headers = { origin: "https://b.example" };
    const answers = [
      await post(server, "t", { payload: 1 }, { headers }),
      await fetch(topicUrl(server, "t", "/messages"), { headers }),
      await fetch(topicUrl(server, "t"), { headers }),
      await fetch(`${server.url}/metrics`, { headers }),
    ];
    for (const answer of answers) {
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
      expect(await problemOf(answer)).toMatchObject({ status: 403, code: "FORBIDDEN" });
    }
    expect(await stats(server)).toEqual({ t: { messages: 0, subscribers: 0 } });
  });
});
