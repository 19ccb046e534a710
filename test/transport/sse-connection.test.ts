import { describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { BATCH_BYTES } from "../../src/broker/ports.ts";
import { range, seqsOf } from "../support/account.ts";
import { startBinary } from "../support/binary.ts";
import { EventStream } from "../support/event-stream.ts";
import { metrics, untilNothingIsLeft } from "../support/stats.ts";
import { problemOf, topicDetail } from "../support/answers.ts";
import { overwhelm, publish, publishLarge } from "../support/publish.ts";
import { createTopic, deleteTopic, health, startTestServer } from "../support/server.ts";
import { streamRequest } from "../support/sse-client.ts";
import { Subscriber } from "../support/subscriber.ts";

const open = (server: { port: number }, clientId: string, stalled = false) =>
  Subscriber.open(server, "sse", { topic: "t", clientId, stalled });

/** Connects over plain TCP, and reads whatever comes to the end. */
async function connected({ port }: { port: number }) {
  const socket = connect(port, "127.0.0.1");
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.on("error", () => {}).resume();
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return { socket, closed };
}

/** Side by side: what takes long here is to wait for a time limit. */
describe.concurrent("the connection of an event stream", () => {
  const refused: [string, string, Record<string, string>, number, string][] = [
    ["a topic that does not exist", "none/events", {}, 404, "Topic 'none' not found"],
    ["a last_n that is no number", "t/events?last_n=x", {}, 400, "'last_n'"],
    ["a queue of none", "t/events?queue=0", {}, 400, "'queue'"],
    ["a queue beyond MAX_SUBSCRIBER_QUEUE", "t/events?queue=51", {}, 429, "MAX_SUBSCRIBER_QUEUE is 50"],
    ["an overflow that there is not", "t/events?overflow=explode", {}, 400, "'overflow'"],
    ["a client id that is too long", `t/events?client_id=${"x".repeat(256)}`, {}, 400, "'client_id'"],
    ["a web page of another origin", "t/events", { origin: "https://b.example" }, 403, "https://b.example"],
    ...["5", "e", "e:", ":", "e:x", "e:-1", "e:1.5", "e:1:2", "e:1 2", `e:${"9".repeat(16)}`].map(
      (id): [string, string, Record<string, string>, number, string] => {
        return [`the Last-Event-ID '${id}'`, "t/events", { "last-event-id": id }, 400, "EPOCH:SEQ"];
      },
    ),
  ];
  test.each(refused)("is not opened for %s: a problem document", async (_what, path, headers, status, words) => {
    await using server = startTestServer({ ALLOWED_ORIGINS: "https://a.example" });
    await createTopic(server, "t");
    const response = await fetch(`${server.url}/topics/${path}`, { headers });
    expect([response.status, await problemOf(response)]).toMatchObject([
      status,
      { status, detail: expect.stringContaining(words) },
    ]);
    await untilNothingIsLeft(server, ["t"]);
  });

  test("is opened by a page of an allowed origin, which may read it, and by an empty Last-Event-ID", async () => {
    const origin = "https://a.example";
    await using server = startTestServer({ ALLOWED_ORIGINS: origin });
    await createTopic(server, "t");
    await using stream = await EventStream.open(`${server.url}/topics/t/events`, { origin, "last-event-id": "" });
    expect(stream.response.headers.get("access-control-allow-origin")).toBe(origin);
    expect(await stream.next()).toMatchObject({ type: "subscribed" });
  });

  test("is answered to HEAD as to GET, without a stream, and leaves no subscriber", async () => {
    await using server = startTestServer({ AUTO_CREATE_TOPICS: "false" });
    await createTopic(server, "t");
    const head = await fetch(`${server.url}/topics/t/events`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-type"), await head.text()]).toEqual([200, "text/event-stream", ""]);
    expect((await fetch(`${server.url}/topics/t/events?queue=0`, { method: "HEAD" })).status).toBe(400);
    await untilNothingIsLeft(server, ["t"]);
  });

  test("is answered to HEAD of a topic that does not exist as to GET: not found", async () => {
    await using server = startTestServer();
    const status = async (method: string) => (await fetch(`${server.url}/topics/none/events`, { method })).status;
    expect([await status("GET"), await status("HEAD")]).toEqual([404, 404]);
  });

  test("is closed with the stream", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    using stream = await open(server, "me");
    await deleteTopic(server, "t");
    expect(await stream.ended).toEqual({ how: "ended" });
    await stream.disconnected;
  });

  const ways: [string, (socket: Socket) => unknown][] = [
    ["hangs up at once", (socket) => socket.destroy()],
    ["resets the connection at once", (socket) => socket.resetAndDestroy()],
    ["closes its own half at once", (socket) => socket.end()],
    ["sends one more request", (socket) => socket.write("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")],
    ["sends what is no request", (socket) => socket.write("\0\0\0\0\r\n\r\n")],
  ];
  test.each(ways)("leaves nothing over of a client that %s", async (_what, hangUp) => {
    await using server = startTestServer({ AUTO_CREATE_TOPICS: "true" });
    await Promise.all(
      range(1, 200).map(async (n) => {
        const { socket, closed } = await connected(server);
        socket.write(streamRequest({ topic: "t", query: { client_id: `c${n}`, last_n: "5" } }));
        hangUp(socket);
        await closed;
      }),
    );
    // The server has taken note of all of them once it has answered one who came after.
    using last = await open(server, "last");
    await publish(server, "t", [1]);
    expect(seqsOf(await last.takeUntil(1))).toEqual([1]);
    last.cut();
    await untilNothingIsLeft(server, ["t"]);
    expect(server.lines).toEqual([]);
  });

  test("stays for as long as the client does, whatever is collected as garbage meanwhile", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const streams = await Promise.all(range(1, 10).map((n) => open(server, `c${n}`)));
    for (let i = 0; i < 3; i++) {
      Bun.gc(true);
      await publish(server, "t", [i]);
    }
    for (const stream of streams) expect(seqsOf(await stream.takeUntil(3))).toEqual([1, 2, 3]);
    expect(await health(server)).toMatchObject({ subscribers: 10 });
    for (const stream of streams) stream.cut();
    await untilNothingIsLeft(server, ["t"]);
  });

  test("that is quiet outlives one that asks for nothing", async () => {
    await using server = startTestServer({ HEARTBEAT_INTERVAL_MS: "0" });
    await createTopic(server, "t");
    using stream = await open(server, "me");
    const { closed } = await connected(server);
    await closed;
    await publish(server, "t", [1]);
    expect(seqsOf(await stream.takeUntil(1))).toEqual([1]);
  }, 60_000);

  test("is dropped after a while where the stream is to end and nobody reads it to its end", async () => {
    await using server = startTestServer({ CLOSE_GRACE_MS: "1000" });
    await createTopic(server, "t");
    using stalled = await open(server, "stalled", true);
    await overwhelm(server, "t", "stalled");
    await deleteTopic(server, "t");
    // It is waited for as long as it may still read.
    expect((await metrics(server)).get('pubsub_connections{transport="sse"}')).toBe(1);
    await untilNothingIsLeft(server, []);
    stalled.resume();
    expect(await stalled.ended).toEqual({ how: "cut" });
    expect(server.lines).toEqual([]);
  }, 60_000);

  test.skipIf(Bun.which("curl") === null)("is what `curl -N` shows, event by event", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const curl = Bun.spawn(["curl", "-sN", `${server.url}/topics/t/events`], { stdin: "ignore", stdout: "pipe" });
    const decoder = new TextDecoder();
    let shown = "";
    for await (const chunk of curl.stdout) {
      const before = shown;
      shown += decoder.decode(chunk, { stream: true });
      if (before === "" && shown !== "") await publish(server, "t", ["for curl"]);
      if (shown.includes("for curl")) break;
    }
    expect(shown).toMatch(/^retry: [12]\d{3}\nevent: subscribed\nid: /);
    expect(shown).toMatch(/\n\nid: [^\n]+:1\ndata: {"type":"event".*"payload":"for curl"}}\n\n$/);
    curl.kill();
    await curl.exited;
    await untilNothingIsLeft(server, ["t"]);
  });
});

/** Far more than is meant to wait on one socket: what is resident without any reader varies by 50 MB itself. */
const BOUND_PER_READER = 16 * BATCH_BYTES;

test("fifty event streams that nobody reads cost a bounded amount of memory", async () => {
  await using server = await startBinary({ HEARTBEAT_INTERVAL_MS: "0" });
  await createTopic(server, "t");
  /** Publishes 250 MB. Returns the most memory that was resident on the way, since how much is garbage varies. */
  const publishMuch = async () => {
    const resident: number[] = [];
    for (let i = 0; i < 25; i++) {
      await publishLarge(server, "t", 100);
      resident.push((await metrics(server)).get("process_resident_memory_bytes") ?? Number.NaN);
    }
    return Math.max(...resident);
  };
  const alone = await publishMuch();
  const readers = await Promise.all(range(1, 50).map((n) => open(server, `c${n}`, true)));
  expect(await publishMuch()).toBeLessThan(alone + readers.length * BOUND_PER_READER);
  const { subscribers } = await topicDetail(server, "t");
  expect(subscribers.filter(({ dropped }) => dropped > 0)).toHaveLength(readers.length);
  for (const reader of readers) reader.cut();
});
