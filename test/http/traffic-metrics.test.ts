import { describe, expect, test } from "bun:test";
import { parseExposition, type Family } from "../support/exposition.ts";
import { imbalanceIn } from "../support/balance.ts";
import { history, publishBody, topicDetail, topicUrl } from "../support/answers.ts";
import { Client, ID } from "../support/client.ts";
import { EventStream } from "../support/event-stream.ts";
import { RawClient } from "../support/raw-client.ts";
import { TestCredentials } from "../support/credentials.ts";
import { createTopic, deleteTopic, startGuardedServer, startTestServer } from "../support/server.ts";
import { metrics, until } from "../support/stats.ts";

type Server = { url: string };

/** By how much each counter that begins with one of `names` goes up while `act` runs. The totals balance after it. */
async function moved(server: Server, names: readonly string[], act: () => Promise<unknown>) {
  const before = await metrics(server);
  await act();
  const after = await metrics(server);
  expect(imbalanceIn(after)).toBeUndefined();
  const steps = [...after].flatMap(([name, value]) => {
    const step = value - (before.get(name) ?? 0);
    const short = name.replace(/^pubsub_/, "");
    return step !== 0 && names.some((asked) => short.startsWith(asked)) ? [[short, step] as const] : [];
  });
  return Object.fromEntries(steps);
}

async function familyOf(server: Server, name: string): Promise<Family | undefined> {
  return parseExposition(await (await fetch(`${server.url}/metrics`)).text()).get(name);
}

const goneFrom = (server: Server, transport: string) =>
  until(async () => (await metrics(server)).get(`pubsub_connections{transport="${transport}"}`) === 0);

describe("connections", () => {
  test("are counted as they come, and by the side that ends them", async () => {
    await using server = startTestServer({ MAX_MESSAGE_BYTES: "1000" });
    await createTopic(server, "t");
    const steps = (act: () => Promise<unknown>) =>
      moved(server, ["connections_opened", "connections_closed"], async () => {
        await act();
        await goneFrom(server, "websocket");
        await goneFrom(server, "sse");
      });
    const opened = { websocket: 'connections_opened_total{transport="websocket"}' };
    const closed = (side: string, cause: string) => `connections_closed_total{side="${side}",cause="${cause}"}`;

    const byClient = await steps(async () => (await Client.connect(server)).close());
    expect(byClient).toEqual({ [opened.websocket]: 1, [closed("client", "closed")]: 1 });
    const cut = await steps(async () => (await RawClient.connect(server)).cut());
    expect(cut).toEqual({ [opened.websocket]: 1, [closed("client", "lost")]: 1 });
    const tooLarge = await steps(async () => {
      const client = await Client.connect(server);
      client.send({ type: "ping", rest: "x".repeat(1000) });
      await client.closed;
    });
    expect(tooLarge).toEqual({ [opened.websocket]: 1, [closed("server", "bad frame")]: 1 });
    const stream = await steps(async () => {
      await using events = await EventStream.open(topicUrl(server, "t", "/events"));
      await events.next();
    });
    expect(stream).toEqual({ 'connections_opened_total{transport="sse"}': 1, [closed("client", "hung up")]: 1 });
    const deleted = await steps(async () => {
      await using client = await Client.connect(server);
      await client.subscribe("t", "me");
      await deleteTopic(server, "t");
      await client.closed;
    });
    expect(deleted).toEqual({ [opened.websocket]: 1, [closed("server", "topic deleted")]: 1 });
  });
});

describe("connections of a server that asks for credentials", () => {
  test("that show none in time are unauthorized; one that makes room for another is cut off", async () => {
    using credentials = new TestCredentials();
    const settings = { ...credentials.env, AUTH_TIMEOUT_MS: "200", MAX_CONNECTIONS: "1" };
    await using server = await startGuardedServer(settings);
    const scrape = async () => {
      const headers = { authorization: `Bearer ${credentials.keys.all.key}` };
      const families = parseExposition(await (await fetch(`${server.url}/metrics`, { headers })).text());
      const samples = families.get("pubsub_connections_closed_total")?.samples ?? [];
      return Object.fromEntries(samples.flatMap(({ labels, value }) => (value > 0 ? [[labels["cause"], value]] : [])));
    };
    const first = await RawClient.connect(server);
    const second = await RawClient.connect(server);
    expect(await scrape()).toEqual({ "cut off": 1 });
    await second.readUntil(() => false);
    expect(await scrape()).toEqual({ "cut off": 1, unauthorized: 1 });
    first.cut();
  });
});

describe("subscriptions", () => {
  test("are counted as they begin, and end by reason", async () => {
    await using server = startTestServer();
    for (const name of ["t", "u", "v", "w"]) await createTopic(server, name);
    const steps = await moved(server, ["subscriptions_started", "subscriptions_ended"], async () => {
      await using client = await Client.connect(server);
      for (const topic of ["t", "u", "v", "w"]) await client.subscribe(topic, "me");
      await client.ask({ type: "unsubscribe", topic: "t", client_id: "me" });
      await using other = await Client.connect(server);
      await other.subscribe("u", "me");
      await client.next();
      await deleteTopic(server, "v");
      await client.next();
      await client.close();
      await other.close();
      await goneFrom(server, "websocket");
    });
    const ended = (reason: string) => `subscriptions_ended_total{reason="${reason}"}`;
    expect(steps).toEqual({
      subscriptions_started_total: 5,
      [ended("unsubscribed")]: 1,
      [ended("replaced")]: 1,
      [ended("topic_deleted")]: 1,
      [ended("disconnected")]: 2,
    });
  });

  test("that begin with a position are counted by what comes of it", async () => {
    await using server = startTestServer({ MAX_HISTORY: "2" });
    await createTopic(server, "t");
    for (let i = 0; i < 5; i++) await publishBody(server, "t", { payload: i });
    const { epoch } = await history(server, "t");
    await using client = await Client.connect(server);
    const resume = (since: object) =>
      moved(server, ["resumes", "events_replayed", "events_due", "events_delivered"], async () => {
        const id = Bun.randomUUIDv7();
        const { replay } = await client.ask({ type: "subscribe", topic: "t", client_id: id, since });
        await client.take(Number(replay));
        await client.ask({ type: "unsubscribe", topic: "t", client_id: id });
      });
    const all = (events: number) =>
      events === 0 ? {} : { events_replayed_total: events, events_due_total: events, events_delivered_total: events };
    expect(await resume({ epoch, seq: 5 })).toEqual({ 'resumes_total{outcome="recovered"}': 1, ...all(0) });
    expect(await resume({ epoch, seq: 4 })).toEqual({ 'resumes_total{outcome="recovered"}': 1, ...all(1) });
    expect(await resume({ epoch, seq: 1 })).toEqual({ 'resumes_total{outcome="partial"}': 1, ...all(2) });
    expect(await resume({ epoch: "x", seq: 1 })).toEqual({ 'resumes_total{outcome="epoch_over"}': 1, ...all(2) });
  });
});

describe("bytes", () => {
  test("are counted as they come in and go out, of text that is not ASCII, too", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    let received = 0;
    let sent = 0;
    client.socket.addEventListener("message", ({ data }) => (sent += Buffer.byteLength(String(data))));
    const steps = await moved(server, ["received_bytes", "sent_bytes"], async () => {
      const frames = [
        { type: "subscribe", topic: "t", client_id: "é😀", request_id: 1 },
        { type: "publish", topic: "t", messages: [1, "ü", "€"].map((payload) => ({ id: ID, payload })), request_id: 2 },
        { type: "ping", request_id: 3 },
      ];
      for (const frame of frames) {
        received += Buffer.byteLength(JSON.stringify(frame));
        client.send(frame);
      }
      await client.take(6);
    });
    expect(steps).toEqual({
      'received_bytes_total{transport="websocket"}': received,
      'sent_bytes_total{transport="websocket"}': sent,
    });
  });

  test("of bodies and event streams are counted", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const body = JSON.stringify({ payload: "é" });
    const response = await fetch(topicUrl(server, "t", "/events"), { headers: { connection: "close" } });
    const reader = response.body?.getReader();
    let read = (await reader?.read())?.value?.byteLength ?? 0;
    const before = (await metrics(server)).get('pubsub_sent_bytes_total{transport="sse"}');
    expect(before).toBe(read);
    const steps = await moved(server, ["received_bytes", "sent_bytes"], async () => {
      await publishBody(server, "t", body);
      read = (await reader?.read())?.value?.byteLength ?? 0;
    });
    expect(steps).toEqual({
      'received_bytes_total{transport="http"}': Buffer.byteLength(body),
      'sent_bytes_total{transport="sse"}': read,
    });
    await reader?.cancel();
  });
});

describe("what waits", () => {
  test("for a subscriber that reads nothing is queued, then dropped, and told of once it reads", async () => {
    await using server = startTestServer({ MAX_SUBSCRIBER_QUEUE: "5", SEND_BUFFER_BYTES: "16384" });
    await createTopic(server, "t");
    const slow = await RawClient.subscribe(server, "slow");
    const messages = Array.from({ length: 6 }, () => ({ payload: "x".repeat(150_000) }));
    do await publishBody(server, "t", { messages });
    while ((await topicDetail(server, "t")).subscribers[0]?.dropped === 0);
    const found = await metrics(server);
    expect(imbalanceIn(found)).toBeUndefined();
    const { ledger, subscribers } = await topicDetail(server, "t");
    expect(subscribers[0]?.ledger).toEqual(ledger);
    // The newest may wait for its flush.
    expect(ledger.queued + ledger.unflushed).toBe(5);
    expect(found.get("pubsub_events_queued")).toBe(5);
    expect(found.get("pubsub_events_dropped_unreported")).toBe(ledger.dropped.queue_full ?? 0);
    expect(found.get("pubsub_subscriptions_lagging")).toBe(1);
    expect(found.get("pubsub_subscriber_backlog_high_water")).toBe(5);
    expect(found.get("pubsub_unsent_bytes")).toBeGreaterThan(0);
    const steps = await moved(server, ["gaps", "events_dropped_total", "events_delivered"], async () => {
      await slow.readUntil((all) => all.at(-1)?.seq === (ledger.due ?? 0));
    });
    expect(steps).toEqual({
      gaps_total: 1,
      'events_dropped_total{reason="queue_full"}': ledger.dropped.queue_full ?? 0,
      events_delivered_total: 5,
    });
    slow.cut();
  });

  test("for the flush is unflushed", async () => {
    await using server = startTestServer({ FLUSH_INTERVAL_MS: "60000" });
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await client.subscribe("t", "me");
    await publishBody(server, "t", { messages: [{ payload: 1 }, { payload: 2 }] });
    const found = await metrics(server);
    expect(found.get("pubsub_events_unflushed")).toBe(2);
    expect(imbalanceIn(found)).toBeUndefined();
    expect((await topicDetail(server, "t")).ledger).toMatchObject({ due: 2, unflushed: 2 });
  });
});

describe("a large publish", () => {
  test("is timed from when it begins to be sent", async () => {
    await using server = startTestServer({ TOPICS: "t", MAX_HISTORY: "10" });
    await using client = await Client.connect(server);
    for (let i = 0; i < 20; i++) await client.subscribe("t", `c${i}`);
    const messages = Array.from({ length: 5000 }, (_, payload) => ({ payload }));
    await publishBody(server, "t", { messages });
    await until(async () => (await metrics(server)).get("pubsub_publish_to_socket_seconds_count") === 1);
    const found = await metrics(server);
    const seconds = found.get("pubsub_publish_to_socket_seconds_sum") ?? 0;
    // The request answers only when the broker has everything, so it takes as long at least as most of the sending.
    const request = [...found].find(([name]) =>
      /duration_seconds_sum\{method="POST",route="\/topics\/:name\/m/.test(name),
    );
    expect(seconds).toBeGreaterThan((request?.[1] ?? Number.POSITIVE_INFINITY) / 10);
  });
});

describe("histograms", () => {
  test("count HTTP requests by method, route and status, and no path that a client makes up", async () => {
    await using server = startTestServer();
    await createTopic(server, "a topic");
    await topicDetail(server, "a topic");
    for (const [method, path] of [
      ["GET", "/topics/none"],
      ["GET", "/topics/none?x=1"],
      ["PUT", "/topics"],
      ["GET", "/made/up"],
      ["POST", "/made/up/too"],
    ] as const) {
      await fetch(server.url + path, { method });
    }
    await using _ = await Client.connect(server);
    const { samples = [] } = (await familyOf(server, "pubsub_http_request_duration_seconds")) ?? {};
    const counts = samples.filter(({ name }) => name.endsWith("_count"));
    const shown = counts.map(({ labels, value }) => [...Object.values(labels), value].join(" "));
    expect(shown.sort()).toEqual([
      "GET /topics/:name 200 1",
      "GET /topics/:name 400 1",
      "GET /topics/:name 404 1",
      "GET /ws 101 1",
      "GET other 404 1",
      "POST /topics 201 1",
      "POST other 404 1",
      "PUT /topics 405 1",
    ]);
  });

  test("count each flush of what was published once", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const countOf = async () =>
      (await familyOf(server, "pubsub_publish_to_socket_seconds"))?.samples.find(({ name }) => name.endsWith("_count"))
        ?.value;
    expect(await countOf()).toBe(0);
    for (let i = 1; i <= 3; i++) {
      await publishBody(server, "t", { messages: [{ payload: 1 }, { payload: 2 }] });
      await until(async () => (await countOf()) === i);
    }
  });

  test("of how late timers fire go on", async () => {
    await using server = startTestServer();
    const count = "pubsub_event_loop_delay_seconds_count";
    await until(async () => ((await metrics(server)).get(count) ?? 0) >= 2);
  });
});

describe("gauges", () => {
  test("show the settings that bound something, and what is running", async () => {
    await using server = startTestServer({ MAX_TOPICS: "77", HISTORY_MEMORY_BYTES: "123456" });
    const found = await metrics(server);
    expect(found.get('pubsub_configured_limit{setting="MAX_TOPICS"}')).toBe(77);
    expect(found.get('pubsub_configured_limit{setting="HISTORY_MEMORY_BYTES"}')).toBe(123456);
    expect(found.get('pubsub_configured_limit{setting="PORT"}')).toBeUndefined();
    const { samples = [] } = (await familyOf(server, "pubsub_build_info")) ?? {};
    expect(samples).toMatchObject([{ labels: { bun: Bun.version }, value: 1 }]);
  });

  test("count open files, each connection among them", async () => {
    await using server = startTestServer();
    const openFiles = async () => (await metrics(server)).get("process_open_fds") ?? 0;
    expect(await openFiles()).toBeLessThan((await metrics(server)).get("process_max_fds") ?? 0);
    const before = await openFiles();
    const clients = await Promise.all(Array.from({ length: 50 }, () => Client.connect(server)));
    // Both ends of each are in this process.
    expect(await openFiles()).toBeGreaterThanOrEqual(before + 100);
    for (const client of clients) await client.close();
  });
});
