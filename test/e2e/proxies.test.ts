import { describe, expect, test } from "bun:test";
import { Client } from "../support/client.ts";
import { parseFrame } from "../support/frames.ts";
import { EventStream } from "../support/event-stream.ts";
import { until } from "../support/stats.ts";
import { skipWithout, startBareNginx, startCaddy, startNginx } from "../support/proxies.ts";
import { publish } from "../support/publish.ts";
import { createTopic, deleteTopic, health, startTestServer } from "../support/server.ts";

/** A slash in a topic's name must come through as it was written. */
const TOPIC = "a/b";
const MESSAGES = `/topics/${encodeURIComponent(TOPIC)}/messages`;
const EVENTS = `/topics/${encodeURIComponent(TOPIC)}/events`;

/** The payloads in an answer of history, or the status where it is none. */
async function history(proxy: { url: string }): Promise<string> {
  const response = await fetch(`${proxy.url}${MESSAGES}`);
  return response.ok ? response.text() : String(response.status);
}

const proxies = [
  { name: "nginx", skip: skipWithout("nginx"), start: startNginx, tuned: true },
  { name: "Caddy", skip: skipWithout("caddy"), start: startCaddy, tuned: true },
  { name: "nginx with nothing but proxy_pass", skip: skipWithout("nginx"), start: startBareNginx, tuned: false },
];

for (const { name, skip, start, tuned } of proxies) {
  describe.skipIf(skip)(`through ${name}`, () => {
    test("a topic is created, published to and read back", async () => {
      await using server = startTestServer();
      await using proxy = await start(server);
      await createTopic(proxy, TOPIC);
      expect(await publish(proxy, TOPIC, ["hello", "x".repeat(900_000)])).toMatchObject({ first_seq: 1, seq: 2 });
      const text = await history(proxy);
      expect(text).toContain('"payload":"hello"');
      expect(text.length).toBeGreaterThan(900_000);
    });

    test("an event stream receives each event as it is published, and its end", async () => {
      await using server = startTestServer();
      await using proxy = await start(server);
      await createTopic(proxy, TOPIC);
      await using stream = await EventStream.open(`${proxy.url}${EVENTS}`);
      expect((await stream.next()).type).toBe("subscribed");
      for (const payload of ["first", "second"]) {
        await publish(proxy, TOPIC, [payload]);
        expect(parseFrame((await stream.next()).data).message?.payload).toBe(payload);
      }
      await deleteTopic(proxy, TOPIC);
      expect(parseFrame((await stream.next()).data).msg).toBe("topic_deleted");
      expect(await stream.nextOrEnd()).toBeUndefined();
    });

    test("a returning event stream goes on after the event that it names", async () => {
      await using server = startTestServer();
      await using proxy = await start(server);
      await createTopic(proxy, TOPIC);
      const { epoch } = await publish(proxy, TOPIC, ["first", "second"]);
      await using stream = await EventStream.open(`${proxy.url}${EVENTS}`, { "Last-Event-ID": `${epoch}:1` });
      expect((await stream.next()).type).toBe("subscribed");
      expect((await stream.next()).lastEventId).toBe(`${epoch}:2`);
    });

    test("a client that hangs up is gone from the server", async () => {
      await using server = startTestServer();
      await using proxy = await start(server);
      await createTopic(proxy, TOPIC);
      {
        await using stream = await EventStream.open(`${proxy.url}${EVENTS}`);
        await stream.next();
        expect((await health(server)).subscribers).toBe(1);
      }
      await until(async () => (await health(server)).subscribers === 0);
    });

    test("what the server refuses comes as its own problem document", async () => {
      await using server = startTestServer();
      await using proxy = await start(server);
      const refused = await fetch(`${proxy.url}/topics/none/events`);
      expect([refused.status, refused.headers.get("content-type")]).toEqual([404, "application/problem+json"]);
    });
  });

  if (!tuned) continue;
  describe.skipIf(skip)(`through ${name}`, () => {
    test("a WebSocket subscribes, receives and is closed with the server's code", async () => {
      await using server = startTestServer();
      await using proxy = await start(server);
      await createTopic(proxy, TOPIC);
      await using client = await Client.connect(proxy);
      await client.subscribe(TOPIC, "me");
      await publish(proxy, TOPIC, ["hello"]);
      expect((await client.next()).message?.payload).toBe("hello");
      await deleteTopic(proxy, TOPIC);
      expect((await client.next()).msg).toBe("topic_deleted");
      expect(await client.closed).toEqual({ code: 4404, reason: "topic deleted" });
    });

    test("the server itself says that a message is too large", async () => {
      await using server = startTestServer();
      await using proxy = await start(server);
      await createTopic(proxy, TOPIC);
      const body = JSON.stringify({ payload: "x".repeat(1_100_000) });
      const refused = await fetch(`${proxy.url}${MESSAGES}`, { method: "POST", body });
      expect([refused.status, refused.headers.get("content-type")]).toEqual([413, "application/problem+json"]);
    });

    test("a page of the public host is allowed, and one of another is not", async () => {
      await using server = startTestServer();
      await using proxy = await start(server);
      await createTopic(proxy, TOPIC);
      for (const Origin of [proxy.url, proxy.url.replace("http:", "https:")]) {
        await using client = await Client.connect(proxy, { Origin });
        expect((await client.subscribe(TOPIC, "me")).type).toBe("ack");
        expect((await fetch(`${proxy.url}${MESSAGES}`, { headers: { Origin } })).status).toBe(200);
      }
      const other = { Origin: "http://other.example" };
      expect((await fetch(`${proxy.url}${MESSAGES}`, { headers: other })).status).toBe(403);
      await expect(Client.connect(proxy, other)).rejects.toThrow("Cannot connect");
    });

    test("a shutdown is told with 1001; then streams are asked to come back, and all else is 502", async () => {
      const server = startTestServer();
      await using proxy = await start(server);
      await createTopic(proxy, TOPIC);
      await using client = await Client.connect(proxy);
      await client.subscribe(TOPIC, "me");
      await using stream = await EventStream.open(`${proxy.url}${EVENTS}`);
      await stream.next();
      await server.stop();
      expect(await client.closed).toMatchObject({ code: 1001 });
      const told = [await stream.next(), await stream.next()].map(({ data }) => parseFrame(data).msg);
      expect(told).toEqual(["topic_deleted", "server_shutdown"]);
      expect(await stream.nextOrEnd()).toBeUndefined();

      const Origin = "http://page.example";
      const later = await fetch(`${proxy.url}${EVENTS}`, { headers: { Origin } });
      expect([later.status, later.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
      expect(later.headers.get("access-control-allow-origin")).toBe(Origin);
      expect(await later.text()).toBe("retry: 2000\n\n");
      expect(await history(proxy)).toBe("502");
    });
  });
}

describe.skipIf(skipWithout("nginx"))("through nginx with nothing but proxy_pass", () => {
  test("a WebSocket is refused with 426, as the proxy leaves out Upgrade", async () => {
    await using server = startTestServer();
    await using proxy = await startBareNginx(server);
    await expect(Client.connect(proxy)).rejects.toThrow("Cannot connect");
    expect((await fetch(`${proxy.url}/ws`)).status).toBe(426);
  });

  test("a page of the public host needs ALLOWED_ORIGINS, as the proxy leaves out Host", async () => {
    const headers = { Origin: "http://pubsub.example", Host: "pubsub.example" };
    for (const [env, status] of [
      [{}, 403],
      [{ ALLOWED_ORIGINS: headers.Origin }, 200],
    ] as const) {
      await using server = startTestServer(env);
      await using proxy = await startBareNginx(server);
      await createTopic(proxy, TOPIC);
      expect((await fetch(`${proxy.url}${MESSAGES}`, { headers })).status).toBe(status);
    }
  });
});
