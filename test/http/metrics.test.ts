import { describe, expect, test } from "bun:test";
import { TRANSPORTS } from "../../src/protocol/frames.ts";
import { route } from "../../src/http/route.ts";
import { RequestsUnderWay } from "../../src/http/under-way.ts";
import { OPEN } from "../support/make-registry.ts";
import { Throttle } from "../../src/ops/throttle.ts";
import { Logger } from "../../src/ops/logger.ts";
import { exposition, type Metric } from "../../src/ops/exposition.ts";
import { ALL_ENDINGS } from "../../src/ops/connection-endings.ts";
import { Metrics } from "../../src/ops/metrics.ts";
import { ERRORS } from "../../src/protocol/codes.ts";
import { topicDetail, post, problemOf, publishBody, topicUrl } from "../support/answers.ts";
import { Client, ID } from "../support/client.ts";
import { EventStream } from "../support/event-stream.ts";
import { parseExposition, type Family } from "../support/exposition.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTopic, deleteTopic, startPatientServer, startTestServer } from "../support/server.ts";

type Server = { url: string };

async function scrape(server: Server): Promise<Map<string, Family>> {
  return parseExposition(await (await fetch(`${server.url}/metrics`)).text());
}

/** Every sample of ours by name and label values, such as `errors BAD_REQUEST`, those of `type` only. */
function samplesOf(families: Map<string, Family>, type: string): Map<string, number> {
  return new Map(
    [...families].flatMap(([name, family]) => {
      if (family.type !== type || !name.startsWith("pubsub_")) return [];
      const short = name.replace(/^pubsub_/, "").replace(/_total$/, "");
      return family.samples.map(({ labels, value }) => [[short, ...Object.values(labels)].join(" "), value] as const);
    }),
  );
}

/** What moves with every client that comes and goes. */
const TRAFFIC =
  /^(received_bytes|sent_bytes|connections_(opened|closed client)|subscriptions_|events_(due|replayed)|gaps)/;

/** By how much each counter goes up while `act` runs, those left out that do not move, or that are `besides` the point. */
async function moved(server: Server, act: () => Promise<unknown>, besides = TRAFFIC): Promise<Record<string, number>> {
  const before = samplesOf(await scrape(server), "counter");
  await act();
  const after = samplesOf(await scrape(server), "counter");
  expect([...after.keys()]).toEqual([...before.keys()]);
  const steps = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(steps.filter(([name, step]) => step !== 0 && !besides.test(name)));
}

async function gauges(server: Server): Promise<Record<string, number>> {
  const all = [...samplesOf(await scrape(server), "gauge")];
  return Object.fromEntries(all.filter(([name]) => !/^(configured_limit|build_info|engine_up)/.test(name)));
}

const numbers = (count: number) => Array.from({ length: count }, (_, payload) => ({ id: ID, payload }));

const COUNTERS = [
  ...["messages_published", "events_due", "events_delivered", "events_dropped", "events_replayed", "gaps", "resumes"],
  ...["subscriptions_started", "subscriptions_ended", "connections_opened", "connections_closed", "heartbeats_missed"],
  ...["received_bytes", "sent_bytes", "errors", "limit_refusals", "history_trimmed"],
  ...["engine_reconnects", "engine_messages_filled", "engine_probes_lost"],
];
const GAUGES = [
  ...["connections_closing", "engine_up"],
  ...["topics", "subscriptions", "subscriptions_lagging", "connections", "history_bytes", "unsent_bytes"],
  ...["events_queued", "events_unflushed", "events_dropped_unreported", "subscriber_backlog_high_water"],
  ...["configured_limit", "build_info"],
];
const HISTOGRAMS = [
  ...["publish_to_socket_seconds", "event_loop_delay_seconds", "http_request_duration_seconds"],
  "engine_round_trip_seconds",
];

const typed = (type: string, names: readonly string[], ending = "") =>
  Object.fromEntries(names.map((name) => [`pubsub_${name}${ending}`, type]));

describe("GET /metrics", () => {
  test("is valid exposition text: each metric with its help and type, no sample twice", async () => {
    await using server = startTestServer();
    const response = await fetch(`${server.url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const families = parseExposition(await response.text());
    expect(Object.fromEntries([...families].map(([name, { type }]) => [name, type]))).toEqual({
      ...typed("counter", COUNTERS, "_total"),
      ...typed("gauge", GAUGES),
      ...typed("histogram", HISTOGRAMS),
      process_start_time_seconds: "gauge",
      process_resident_memory_bytes: "gauge",
      process_heap_bytes: "gauge",
      process_cpu_seconds_total: "counter",
      process_open_fds: "gauge",
      process_max_fds: "gauge",
    });
    for (const [name, { type, samples }] of families) {
      expect(name.endsWith("_total")).toBe(type === "counter");
      // Nothing was asked of this server before.
      expect([name, samples.length > 0]).toEqual([name, name !== "pubsub_http_request_duration_seconds"]);
    }
  });

  test("has every error code, close code and transport from the start, and all at zero", async () => {
    await using server = startTestServer();
    const families = await scrape(server);
    const labelsOf = (name: string) => families.get(name)?.samples.map(({ labels }) => labels);
    expect(labelsOf("pubsub_errors_total")).toEqual(Object.keys(ERRORS).map((code) => ({ code })));
    expect(labelsOf("pubsub_connections_closed_total")).toEqual([...ALL_ENDINGS]);
    expect(labelsOf("pubsub_connections")).toEqual(TRANSPORTS.map((transport) => ({ transport })));
    for (const [name, value] of samplesOf(families, "counter")) expect([name, value]).toEqual([name, 0]);
    for (const [name, value] of Object.entries(await gauges(server))) expect([name, value]).toEqual([name, 0]);
  });

  test("tells of the process what can be so", async () => {
    await using server = startTestServer();
    const valueOf = (families: Map<string, Family>, name: string) =>
      families.get(name)?.samples[0]?.value ?? Number.NaN;
    const first = await scrape(server);
    expect(valueOf(first, "process_start_time_seconds")).toBeCloseTo(performance.timeOrigin / 1000, 3);
    expect(valueOf(first, "process_resident_memory_bytes")).toBeGreaterThan(1e6);
    // The server shares this test's process.
    const cpuSeconds = () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    };
    const before = cpuSeconds();
    const cpu = valueOf(await scrape(server), "process_cpu_seconds_total");
    expect(cpu).toBeGreaterThanOrEqual(before);
    expect(cpu).toBeLessThanOrEqual(cpuSeconds());
  });

  test("to HEAD answers without a body", async () => {
    await using server = startTestServer();
    const response = await fetch(`${server.url}/metrics`, { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
    expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  });
});

describe("counters", () => {
  test("do not move by being looked at, nor by what goes well and publishes nothing", async () => {
    await using server = startTestServer();
    const steps = await moved(server, async () => {
      await createTopic(server, "t");
      await using client = await Client.connect(server);
      await client.subscribe("t", "me");
      await client.ask({ type: "unsubscribe", topic: "t", client_id: "me" });
      for (const path of ["/health", "/stats", "/topics", "/topics/t", "/topics/t/messages"]) {
        expect((await fetch(server.url + path)).status).toBe(200);
      }
      await client.close();
      await deleteTopic(server, "t");
    });
    expect(steps).toEqual({});
  });

  test("count each message once when it is published, and once for each who is sent it", async () => {
    await using server = startTestServer({ MAX_HISTORY: "3" });
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    expect(await moved(server, () => client.publish("t", 1))).toEqual({ messages_published: 1 });
    expect(await moved(server, () => publishBody(server, "t", { payload: 2 }))).toEqual({ messages_published: 1 });

    await client.subscribe("t", "a");
    await client.subscribe("t", "b");
    await using stream = await EventStream.open(topicUrl(server, "t", "/events"));
    await stream.next();
    const batches = await moved(server, async () => {
      client.send({ type: "publish", topic: "t", messages: numbers(4), ack: false });
      await client.take(8);
      await publishBody(server, "t", { messages: numbers(5) });
      await client.take(10);
      await stream.take(9);
    });
    expect(batches).toEqual({ messages_published: 9, events_delivered: 27 });
    const replay = await moved(server, async () => {
      await client.subscribe("t", "c", 100);
      await client.take(3);
    });
    expect(replay).toEqual({ events_delivered: 3 });
  });

  test("count a batch longer than history and queue whole", async () => {
    await using server = startTestServer({ MAX_HISTORY: "1", MAX_SUBSCRIBER_QUEUE: "1" });
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await client.subscribe("t", "a");
    const steps = await moved(server, async () => {
      await publishBody(server, "t", { messages: numbers(200) });
      await client.take(200);
    });
    expect(steps).toEqual({ messages_published: 200, events_delivered: 200 });
  });

  test("count nothing of a batch that is refused but the error", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await client.subscribe("t", "a");
    const steps = await moved(server, async () => {
      await problemOf(await post(server, "t", { messages: [...numbers(3), {}] }));
      await client.ask({ type: "publish", topic: "t", messages: [...numbers(3), {}], ack: false });
    });
    expect(steps).toEqual({ "errors BAD_REQUEST": 2 });
  });

  test("count each error over a WebSocket by its code", async () => {
    await using server = startTestServer({ MAX_SUBSCRIPTIONS_PER_CONNECTION: "1" });
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await client.subscribe("t", "a");
    const ask = (...frames: (object | string)[]) =>
      moved(server, async () => {
        for (const frame of frames) expect((await client.ask(frame)).type).toBe("error");
      });
    const binary = async () => {
      client.socket.send(new Uint8Array([1]));
      expect((await client.next()).type).toBe("error");
    };
    expect(await ask("rubbish", {}, { type: "x" })).toEqual({ "errors BAD_REQUEST": 3 });
    expect(await moved(server, binary)).toEqual({ "errors BAD_REQUEST": 1 });
    const none = { topic: "none", client_id: "a" };
    expect(
      await ask(
        { type: "subscribe", ...none },
        { type: "unsubscribe", ...none },
        { type: "publish", ...none, message: numbers(1)[0] },
      ),
    ).toEqual({ "errors TOPIC_NOT_FOUND": 3 });
    const more = { type: "subscribe", topic: "t", client_id: "b" };
    expect(await ask(more, { ...more, queue: 51 })).toEqual({
      "errors LIMIT_EXCEEDED": 2,
      "limit_refusals MAX_SUBSCRIPTIONS_PER_CONNECTION": 1,
      "limit_refusals MAX_SUBSCRIBER_QUEUE": 1,
    });
  });

  test("count each problem over HTTP by its code", async () => {
    await using server = startTestServer({ MAX_TOPICS: "1", MAX_MESSAGE_BYTES: "100" });
    await createTopic(server, "t");
    const { url } = server;
    const create = (body: string) => fetch(`${url}/topics`, { method: "POST", body });
    const cases: [string, number, () => Promise<Response>][] = [
      ["BAD_REQUEST", 400, () => create("rubbish")],
      ["TOPIC_EXISTS", 409, () => create(`{"name":"t"}`)],
      ["BAD_REQUEST", 400, () => post(server, "t", {})],
      ["BAD_REQUEST", 400, () => fetch(topicUrl(server, "t", "/messages?last_n=x"))],
      ["BAD_REQUEST", 400, () => fetch(topicUrl(server, "t", "/events?queue=0"))],
      ["BAD_REQUEST", 400, () => fetch(topicUrl(server, "t", "/events"), { headers: { "last-event-id": "x" } })],
      ["TOPIC_NOT_FOUND", 404, () => post(server, "none", { payload: 1 })],
      ["TOPIC_NOT_FOUND", 404, () => fetch(topicUrl(server, "none"))],
      ["TOPIC_NOT_FOUND", 404, () => fetch(topicUrl(server, "none"), { method: "DELETE" })],
      ["TOPIC_NOT_FOUND", 404, () => fetch(topicUrl(server, "none", "/messages"))],
      ["TOPIC_NOT_FOUND", 404, () => fetch(topicUrl(server, "none", "/events"))],
      ["EPOCH_OVER", 410, () => fetch(topicUrl(server, "t", "/messages?epoch=x"))],
      ["LIMIT_EXCEEDED", 429, () => create(`{"name":"u"}`)],
      ["TOO_LARGE", 413, () => post(server, "t", { payload: "x".repeat(100) })],
      ["FORBIDDEN", 403, () => fetch(topicUrl(server, "t"), { headers: { origin: "https://a.example" } })],
    ];
    for (const [code, status, ask] of cases) {
      const steps = await moved(server, async () => {
        expect(await problemOf(await ask())).toMatchObject({ status, code });
      });
      const limit = { LIMIT_EXCEEDED: "MAX_TOPICS", TOO_LARGE: "MAX_MESSAGE_BYTES" }[String(code)];
      const limited = limit === undefined ? {} : { [`limit_refusals ${limit}`]: 1 };
      expect(steps, `${status}`).toEqual({ [`errors ${code}`]: 1, ...limited });
    }
  });

  test.each([
    [404, "NOT_FOUND", "GET", "/nope"],
    [405, "METHOD_NOT_ALLOWED", "PUT", "/topics"],
    [426, "UPGRADE_REQUIRED", "GET", "/ws"],
  ])("count the problem of a request that no handler takes: %d", async (status, code, method, path) => {
    await using server = startTestServer();
    const steps = await moved(server, async () => {
      const problem = await problemOf(await fetch(server.url + path, { method }));
      expect(problem).toMatchObject({ status, code });
    });
    expect(steps).toEqual({ [`errors ${code}`]: 1 });
  });

  test("count a fault of ours as INTERNAL", async () => {
    const metrics = new Metrics();
    const log = new Logger("error", "text", () => true);
    const handler = route<{ requestIP: () => null }>(
      {
        addressOf: () => undefined,
        auth: OPEN,
        underWay: new RequestsUnderWay(9),
        mayConnect: () => "yes",
        stopping: () => false,
        log,
        throttle: new Throttle(log),
        metrics,
      },
      "/",
      {
        GET: {
          needs: "nothing",
          handle: () => {
            throw new Error("the cause");
          },
        },
      },
    );
    const response = await handler(new Request("http://localhost/"), { requestIP: () => null });
    expect(response?.status).toBe(500);
    const { samples = [] } = parseExposition(exposition(metrics.all)).get("pubsub_errors_total") ?? {};
    expect(samples.filter(({ value }) => value > 0)).toMatchObject([{ labels: { code: "INTERNAL" }, value: 1 }]);
  });

  test("count as dropped just what a slow consumer is told of, and as delivered the rest", async () => {
    await using server = startTestServer({ MAX_SUBSCRIBER_QUEUE: "5" });
    await createTopic(server, "t");
    const slow = await RawClient.subscribe(server, "slow");
    const messages = Array.from({ length: 6 }, () => ({ payload: "x".repeat(150_000) }));
    const steps = await moved(server, async () => {
      for (let i = 0; i < 20; i++) await publishBody(server, "t", { messages });
      await slow.readUntil((all) => all.at(-1)?.seq === 120);
    });
    const told = slow.frames.reduce((sum, { error }) => sum + (error?.dropped ?? 0), 0);
    expect(told).toBeGreaterThan(0);
    expect(steps).toEqual({ messages_published: 120, "events_dropped queue_full": told, events_delivered: 120 - told });
    slow.cut();
  });

  test("count each connection that the server closes by what for", async () => {
    await using server = startTestServer({ MAX_CONNECTIONS: "2" });
    await createTopic(server, "t");
    await using one = await Client.connect(server);
    await one.subscribe("t", "one");
    await one.subscribe("t", "another");
    await using two = await EventStream.open(topicUrl(server, "t", "/events"));
    await two.next();
    const tooMany = await moved(server, async () => {
      await using three = await Client.connect(server);
      expect((await three.closed).code).toBe(4429);
      expect((await problemOf(await fetch(topicUrl(server, "t", "/events")))).status).toBe(429);
    });
    expect(tooMany).toEqual({
      "connections_closed server limit exceeded": 1,
      "errors LIMIT_EXCEEDED": 2,
      "limit_refusals MAX_CONNECTIONS": 2,
    });
    const deleted = await moved(server, async () => {
      await deleteTopic(server, "t");
      expect((await one.closed).code).toBe(4404);
      while ((await two.nextOrEnd()) !== undefined);
    });
    expect(deleted).toEqual({ "connections_closed server topic deleted": 2 });
    const left = await moved(server, async () => {
      await using client = await Client.connect(server);
      await client.close();
    });
    expect(left).toEqual({});
  });

  test("count one close of a connection, though several of its subscriptions are too slow", async () => {
    await using server = startTestServer({ MAX_SUBSCRIBER_QUEUE: "2" });
    await createTopic(server, "t");
    const slow = await RawClient.connect(server);
    for (const id of ["a", "b"]) slow.send({ type: "subscribe", topic: "t", client_id: id, overflow: "disconnect" });
    await slow.readUntil((frames) => frames.length === 2);
    const messages = Array.from({ length: 6 }, () => ({ payload: "x".repeat(150_000) }));
    const { events_delivered, messages_published, ...steps } = await moved(server, async () => {
      do await publishBody(server, "t", { messages });
      while ((await topicDetail(server, "t")).subscribers.length > 0);
    });
    slow.cut();
    const { "events_dropped too_slow": dropped, "events_dropped connection_closed": other = 0, ...closed } = steps;
    expect(closed).toEqual({ "connections_closed server slow consumer": 1 });
    expect((dropped ?? 0) + other).toBeGreaterThan(0);
    expect(events_delivered).toBeLessThan(2 * (messages_published ?? 0));
  });

  test("count a connection without a sign of life", async () => {
    await using server = startTestServer({ HEARTBEAT_INTERVAL_MS: "15" });
    const silent = await RawClient.connect(server);
    const steps = await moved(server, () => silent.readUntil(() => false));
    expect(silent.close).toEqual({ code: 4408, reason: "no sign of life" });
    expect(steps).toEqual({ "connections_closed server no sign of life": 1, heartbeats_missed: 2 });
  });

  test("go on while the server shuts down, and count what is closed and refused by it", async () => {
    await using server = startPatientServer({ SHUTDOWN_GRACE_MS: "3600000" });
    await createTopic(server, "t");
    const stalled = await RawClient.subscribe(server, "stalled");
    await using other = await Client.connect(server);
    const messages = Array.from({ length: 6 }, () => ({ payload: "x".repeat(150_000) }));
    do await publishBody(server, "t", { messages });
    while ((await topicDetail(server, "t")).subscribers[0]?.dropped === 0);
    await using _ = { [Symbol.asyncDispose]: async () => (stalled.cut(), await server.stop()) };
    const steps = await moved(server, async () => {
      void server.stop();
      expect((await other.closed).code).toBe(1001);
      expect(await problemOf(await post(server, "t", { payload: 1 }))).toMatchObject({
        status: 503,
        code: "SHUTTING_DOWN",
      });
      expect(await problemOf(await fetch(`${server.url}/readyz`))).toMatchObject({ code: "SHUTTING_DOWN" });
    });
    expect(steps).toEqual({ "connections_closed server shutting down": 1, "errors SHUTTING_DOWN": 2 });
  });
});

describe("gauges", () => {
  test("stand at what there is", async () => {
    await using server = startTestServer();
    for (const name of ["t", "u"]) await createTopic(server, name);
    await using client = await Client.connect(server);
    await using other = await Client.connect(server);
    await client.subscribe("t", "a");
    await client.subscribe("t", "b");
    await other.subscribe("u", "a");
    const stream = await EventStream.open(topicUrl(server, "u", "/events"));
    await stream.next();
    for (const name of ["t", "u"]) await publishBody(server, name, { messages: numbers(7) });
    const bytes = (await topicDetail(server, "t")).history.bytes + (await topicDetail(server, "u")).history.bytes;
    expect(bytes).toBeGreaterThan(0);
    expect(await gauges(server)).toEqual({
      topics: 2,
      subscriptions: 4,
      subscriptions_lagging: 0,
      events_queued: 0,
      events_unflushed: 0,
      events_dropped_unreported: 0,
      subscriber_backlog_high_water: 0,
      unsent_bytes: 0,
      "connections websocket": 2,
      "connections sse": 1,
      connections_closing: 0,
      history_bytes: bytes,
    });

    await client.settle();
    await stream[Symbol.asyncDispose]();
    await other.close();
    await deleteTopic(server, "u");
    await client.ask({ type: "unsubscribe", topic: "t", client_id: "b" });
    let found = await gauges(server);
    while (found["connections sse"] !== 0 || found["connections websocket"] !== 1) found = await gauges(server);
    expect(found).toMatchObject({ topics: 1, subscriptions: 1 });
    expect(found["history_bytes"]).toBe((await topicDetail(server, "t")).history.bytes);
    await deleteTopic(server, "t");
    expect(await gauges(server)).toMatchObject({ topics: 0, subscriptions: 0, history_bytes: 0 });
  });
});

describe("exposition", () => {
  test("escapes what a label may hold", () => {
    const values = [`a"b`, "back\\slash", "line\nfeed", `\\n\\"`, "}", ",", "é😀", ""];
    const metric: Metric = {
      name: "m",
      type: "gauge",
      help: "Some help.",
      read: () => values.map((text, value) => ({ labels: { text, and: "x" }, value })),
    };
    expect([...parseExposition(exposition([metric]))]).toEqual([
      [
        "m",
        {
          type: "gauge",
          help: "Some help.",
          samples: values.map((text, value) => ({ name: "m", labels: { text, and: "x" }, value })),
        },
      ],
    ]);
  });

  test("writes any number as one", () => {
    const values = [0, 1, -1, 1.5, 1e-7, 1e21, Number.MAX_SAFE_INTEGER];
    const text = exposition(
      values.map((value, i): Metric => ({ name: `m${i}`, type: "gauge", help: "h", read: () => value })),
    );
    expect([...parseExposition(text).values()].map(({ samples }) => samples)).toEqual(
      values.map((value, i) => [{ name: `m${i}`, labels: {}, value }]),
    );
  });
});
