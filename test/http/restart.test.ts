import { describe, expect, test } from "bun:test";
import { history, problemOf } from "../support/answers.ts";
import { Client } from "../support/client.ts";
import { parseFrame } from "../support/frames.ts";
import { EventStream, EventStreamParser } from "../support/event-stream.ts";
import { metrics } from "../support/stats.ts";
import { overwhelm, publish } from "../support/publish.ts";
import { createTopic, health, startTestServer, type TestServer } from "../support/server.ts";
import { Subscriber } from "../support/subscriber.ts";

const eventsUrl = ({ url }: { url: string }, query = "", topic = "t") => `${url}/topics/${topic}/events${query}`;

/** A server whose topic "t" has published the payloads 1 to 5. */
async function published(env: Record<string, string> = {}) {
  const server = startTestServer({ TOPICS: "t", ...env });
  const { epoch } = await publish(server, "t", [1, 2, 3, 4, 5]);
  return Object.assign(server, { epoch });
}

/** The numbers of the replay that a stream begins with. */
async function replayed(url: string, headers: Record<string, string> = {}): Promise<number[]> {
  await using stream = await EventStream.open(url, headers);
  const { type, data } = await stream.next();
  expect(type).toBe("subscribed");
  const replay = Number(parseFrame(data)["replay"]);
  return (await stream.take(replay)).map((event) => parseFrame(event.data).seq ?? 0);
}

describe("a position", () => {
  test("is EPOCH:SEQ, or SEQ of the present epoch, in the query of a stream and of history alike", async () => {
    await using server = await published();
    for (const [since, seqs] of [
      [`${server.epoch}:3`, [4, 5]],
      ["3", [4, 5]],
      [`${server.epoch}:0`, [1, 2, 3, 4, 5]],
      ["0", [1, 2, 3, 4, 5]],
      [`${server.epoch}:5`, []],
      ["5", []],
    ] as const) {
      expect(await replayed(eventsUrl(server, `?since=${since}`)), since).toEqual([...seqs]);
      const { messages } = await history(server, "t", `?since=${since}`);
      expect(
        messages.map(({ seq }) => seq),
        since,
      ).toEqual([...seqs]);
    }
  });

  test("of another epoch replays all that there is to a stream, and is over for history", async () => {
    await using server = await published();
    expect(await replayed(eventsUrl(server, "?since=other:3"))).toEqual([1, 2, 3, 4, 5]);
    const gone = await problemOf(await fetch(`${server.url}/topics/t/messages?since=other:3`));
    expect(gone).toMatchObject({ status: 410, title: "Gone" });
  });

  test.each(["x", ":", "e:", "1.5", "-1", "e:1:2"])("is not %s", async (since) => {
    await using server = await published();
    for (const path of ["events", "messages"]) {
      const problem = await problemOf(await fetch(`${server.url}/topics/t/${path}?since=${since}`));
      expect(problem).toMatchObject({ status: 400, code: "BAD_REQUEST" });
      expect(problem.detail).toContain("'since'");
    }
  });

  test("in Last-Event-ID counts before the one that a page's address still has", async () => {
    await using server = await published();
    const headers = { "last-event-id": `${server.epoch}:4` };
    expect(await replayed(eventsUrl(server, `?since=${server.epoch}:1`), headers)).toEqual([5]);
    expect(await replayed(eventsUrl(server, "?since=1"), headers)).toEqual([5]);
    expect(await replayed(eventsUrl(server, "?since=1"), { "last-event-id": "" })).toEqual([2, 3, 4, 5]);
  });
});

test("topics that are declared are there at the start, whoever else names them", async () => {
  await using server = startTestServer({ TOPICS: "a,b,a" });
  const { topics } = await health(server);
  expect(topics).toBe(2);
  await using client = await Client.connect(server);
  expect(await client.subscribe("a", "me")).toMatchObject({ seq: 0 });
  await expect(createTopic(server, "b")).rejects.toThrow("409");
});

test("a stream begins with the time after which to come back, 1 to 3 s, not the same for all", async () => {
  await using server = startTestServer({ TOPICS: "t" });
  const times = new Set<number>();
  for (let i = 0; i < 20; i++) {
    await using stream = await EventStream.open(eventsUrl(server));
    expect((await stream.next()).type).toBe("subscribed");
    expect(stream.parser.retryMs).toBeWithin(1000, 3001);
    times.add(stream.parser.retryMs ?? 0);
  }
  expect(times.size).toBeGreaterThan(1);
});

/** Why a stream cannot be served, and what a first request is answered then. */
const reasons = [
  {
    why: "its topic is not there",
    env: {},
    topic: "none",
    status: 404,
    code: "TOPIC_NOT_FOUND",
    message: "Topic 'none' not found",
    occupy: () => ({ [Symbol.asyncDispose]: async () => {} }),
  },
  {
    why: "MAX_CONNECTIONS is reached",
    env: { MAX_CONNECTIONS: "1" },
    topic: "t",
    status: 429,
    code: "LIMIT_EXCEEDED",
    message: "MAX_CONNECTIONS is 1: that many are in use already",
    occupy: async (server: TestServer) => {
      const client = await Client.connect(server);
      await client.settle();
      return client;
    },
  },
  {
    why: "the server is shutting down",
    env: { SHUTDOWN_GRACE_MS: "3600000" },
    topic: "t",
    status: 503,
    code: "SHUTTING_DOWN",
    message: "The server is shutting down",
    occupy: async (server: TestServer) => {
      const stalled = await Subscriber.open(server, "sse", { topic: "t", clientId: "stalled", stalled: true });
      await overwhelm(server, "t", "stalled");
      const stopped = server.stop();
      return {
        [Symbol.asyncDispose]: async () => {
          stalled.cut();
          await stopped;
        },
      };
    },
  },
];

describe.each(reasons)("where $why", ({ env, topic, status, code, message, occupy }) => {
  test("a stream that comes back is told so, and when to try again, and ends", async () => {
    await using server = startTestServer({ TOPICS: "t", ...env });
    await using _occupied = await occupy(server);
    const refused = async () => (await metrics(server)).get(`pubsub_errors_total{code="${code}"}`) ?? Number.NaN;
    for (const [query, headers] of [
      ["?since=e:1", {}],
      ["?since=1", {}],
      ["", { "last-event-id": "e:1" }],
      ["?since=2", { "last-event-id": "e:1" }],
    ] as const) {
      const before = await refused();
      const url = eventsUrl(server, query, topic);
      const response = await fetch(url, { headers });
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
      expect(response.headers.get("cache-control")).toBe("no-store");
      const text = await response.text();
      expect(text).toStartWith("retry: ");
      const parser = new EventStreamParser();
      const [event, ...rest] = parser.push(Buffer.from(text));
      expect(rest).toEqual([]);
      expect(parser.retryMs).toBeWithin(1000, 3001);
      // Without an id: the client's own position stays what it was.
      expect(event).toMatchObject({ type: "error", lastEventId: "" });
      expect(parseFrame(event?.data ?? "")).toMatchObject({ type: "error", error: { code, message } });
      expect(await refused()).toBe(before + 1);

      const head = await fetch(url, { method: "HEAD", headers });
      expect([head.status, head.headers.get("content-type"), await head.text()]).toEqual([
        200,
        "text/event-stream",
        "",
      ]);
    }
  });

  test("one that comes for the first time gets the plain status", async () => {
    await using server = startTestServer({ TOPICS: "t", ...env });
    await using _occupied = await occupy(server);
    for (const query of ["", "?last_n=1", "?since=", "?client_id=me"]) {
      const url = eventsUrl(server, query, topic);
      expect(await problemOf(await fetch(url))).toMatchObject({ status, code, detail: message });
      expect((await fetch(url, { method: "HEAD" })).status).toBe(status);
    }
  });
});

test("a stream that names a position creates its topic where the first use of one does, however it is written", async () => {
  await using server = startTestServer({ AUTO_CREATE_TOPICS: "true", MAX_TOPICS: "2" });
  for (const [topic, since] of [
    ["a", "e:3"],
    ["b", "3"],
  ] as const) {
    await using stream = await EventStream.open(eventsUrl(server, `?since=${since}`, topic));
    const { type, data } = await stream.next();
    expect(type).toBe("subscribed");
    expect(parseFrame(data)).toMatchObject({ seq: 0, replay: 0, recovered: false });
  }
  for (const since of ["e:3", "3"]) {
    await using stream = await EventStream.open(eventsUrl(server, `?since=${since}`, "c"));
    expect(parseFrame((await stream.next()).data).error?.message).toContain("MAX_TOPICS is 2");
  }
});

test("a stream that comes back with what cannot be right is answered 400, for it would never be right", async () => {
  await using server = startTestServer({ TOPICS: "t" });
  for (const [query, headers] of [
    ["", { "last-event-id": "nonsense" }],
    ["?since=1&queue=0", {}],
    ["?overflow=x", { "last-event-id": "e:1" }],
  ] as const) {
    expect(await problemOf(await fetch(eventsUrl(server, query), { headers }))).toMatchObject({ status: 400 });
  }
});

test("the log tells of a stream that comes back where MAX_CONNECTIONS is reached", async () => {
  await using server = startTestServer({ TOPICS: "t", MAX_CONNECTIONS: "1", LOG_LEVEL: "warn" });
  await using first = await EventStream.open(eventsUrl(server));
  await first.next();
  await (await fetch(eventsUrl(server, "?since=1"))).text();
  expect(server.lines).toEqual([expect.stringMatching(/ WARN .*limit reached.*MAX_CONNECTIONS is 1/)]);
});
