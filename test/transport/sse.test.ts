import { describe, expect, test } from "bun:test";
import { parseEventId } from "../../src/protocol/event-stream.ts";
import { account, range, seqsOf } from "../support/account.ts";
import { publishBody, topicDetail } from "../support/answers.ts";
import { overwhelm, publish } from "../support/publish.ts";
import type { Received } from "../support/received.ts";
import { createTopic, startTestServer } from "../support/server.ts";
import { metrics, until } from "../support/stats.ts";
import { Subscriber, type Wish } from "../support/subscriber.ts";

const open = (server: { port: number }, wish: Partial<Wish> = {}) =>
  Subscriber.open(server, "sse", { topic: "t", ...wish });

const textsOf = (received: readonly Received[]) => received.flatMap((one) => (one.kind === "event" ? [one.text] : []));

/** A subscriber that names the last position that `lost` was told. */
function comeBack(server: { port: number }, lost: Received | undefined, wish: Partial<Wish> = {}) {
  const since = parseEventId(lost?.lastEventId ?? "");
  if (since === undefined) throw new Error(`No position in ${JSON.stringify(lost)}`);
  return open(server, { ...wish, since });
}

const PAYLOADS = [
  "null",
  '"plain"',
  "12345678901234567890",
  "1.10",
  "1e400",
  '{"b":1,"a":2,"b":3}',
  '"été, 日本, 😀, \\u2028 and \u2028, \\ud800, \u0085"',
  '"data: not a field\\n\\nid: 7"',
  "[ 1 ,\t2 ]",
];

describe("an event stream", () => {
  test("is text/event-stream that nobody is to keep or gather", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    using stream = await open(server);
    expect(stream.headers.get("content-type")).toBe("text/event-stream");
    expect(stream.headers.get("cache-control")).toBe("no-store");
    expect(stream.headers.get("x-accel-buffering")).toBe("no");
    expect(stream.headers.has("content-length")).toBe(false);
  });

  test("carries the very frames that a WebSocket gets, on replay and live, alone and in a burst", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const bodies = [...PAYLOADS.map((payload) => `{"payload":${payload}}`)];
    bodies.push(`{"messages":[${bodies.join(",")}]}`);
    for (const body of bodies) await publishBody(server, "t", body);
    using stream = await open(server, { lastN: 100 });
    using socket = await Subscriber.open(server, "websocket", { topic: "t", clientId: "socket", lastN: 100 });
    let last = 0;
    for (const body of bodies) last = (await publishBody(server, "t", body)).seq;
    const received = await stream.takeUntil(last);
    expect(textsOf(received)).toEqual(textsOf(await socket.takeUntil(last)));
    expect(textsOf(received)[2]).toContain('"payload":12345678901234567890}');
    expect(account(received, 0).seqs).toEqual(range(1, 4 * PAYLOADS.length));
  });

  test("carries a payload of several lines with its line ends as line feeds, and every other space as it was", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    using stream = await open(server);
    using socket = await Subscriber.open(server, "websocket", { topic: "t", clientId: "socket" });
    const payloads = [
      '{\n  "a": 1\n}',
      '{\r\n\t"a": 1\r\n}',
      '{\r"a": 1\r}',
      "[\n\n\r\r\n\n\r 1 ]",
      "[\n:1\r\n]",
      "{\n}",
    ];
    for (const payload of payloads.slice(0, 4)) await publishBody(server, "t", `{"payload":${payload}}`);
    const { seq } = await publishBody(server, "t", `{"messages":[{"payload":${payloads.at(-1)}},{"payload":[\r\r]}]}`);
    const frames = textsOf(await socket.takeUntil(seq));
    expect(frames[3]).toContain("\r");
    expect(textsOf(await stream.takeUntil(seq))).toEqual(frames.map((text) => text.replaceAll(/\r\n?/g, "\n")));
  });

  test("names the position of every event in its id", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const { epoch } = await publish(server, "t", range(1, 5));
    using stream = await open(server, { lastN: 3 });
    await publish(server, "t", [6]);
    await publish(server, "t", [7, 8, 9]);
    const events = (await stream.takeUntil(9)).filter(({ kind }) => kind === "event");
    expect(events.map(({ lastEventId }) => lastEventId)).toEqual(range(3, 9).map((seq) => `${epoch}:${seq}`));
  });

  const history = range(1, 20);
  const starts: [string, Partial<Wish>, number][] = [
    ["what is live", {}, 20],
    ["the last three", { lastN: 3 }, 17],
    ["more than history has", { lastN: 99 }, 10],
    ["what came after a position", { since: { epoch: "", seq: 15 } }, 15],
    ["what came after a position that history has lost", { since: { epoch: "", seq: 5 } }, 10],
    ["what came after a position of another epoch", { since: { epoch: "other", seq: 15 } }, 10],
  ];
  test.each(starts)("lost before its first event, when asked for %s, loses nothing", async (_what, wish, start) => {
    await using server = startTestServer({ MAX_HISTORY: "10" });
    await createTopic(server, "t");
    const { epoch } = await publish(server, "t", history);
    const since = wish.since && { ...wish.since, epoch: wish.since.epoch || epoch };
    const lost = await open(server, since === undefined ? wish : { since });
    const subscribed = await lost.next();
    lost.cut();
    expect(subscribed).toMatchObject({ kind: "subscribed", lastEventId: `${epoch}:${start}` });
    using back = await comeBack(server, subscribed);
    expect(await back.next()).toMatchObject({ replay: 20 - start, recovered: true, lastEventId: `${epoch}:${start}` });
    expect(seqsOf(await back.take(20 - start))).toEqual(range(start + 1, 20));
  });

  test("of a topic without messages, lost before its first event, loses nothing", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const lost = await open(server);
    const subscribed = await lost.next();
    lost.cut();
    await publish(server, "t", [1, 2]);
    using back = await comeBack(server, subscribed);
    expect(seqsOf(await back.takeUntil(2))).toEqual([1, 2]);
  });

  test("resumes after its last event, whatever last_n it first asked for", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await publish(server, "t", range(1, 10));
    const lost = await open(server, { lastN: 5 });
    const last = (await lost.takeUntil(8)).at(-1);
    lost.cut();
    await publish(server, "t", [11]);
    using back = await comeBack(server, last, { lastN: 5 });
    expect(await back.next()).toMatchObject({ replay: 3, recovered: true });
    expect(seqsOf(await back.take(3))).toEqual([9, 10, 11]);
  });

  test("that was told of a gap resumes after it, and an info leaves its position as it is", async () => {
    await using server = startTestServer({ MAX_HISTORY: "1000" });
    await createTopic(server, "t");
    using stalled = await open(server, { clientId: "stalled", stalled: true });
    const last = await overwhelm(server, "t", "stalled");
    stalled.resume();
    const received = await stalled.takeUntil(last);
    const gap = received.find(({ kind }) => kind === "gap");
    if (gap?.kind !== "gap") throw new Error("No gap");
    expect(parseEventId(gap.lastEventId ?? "")?.seq).toBe(gap.last);
    using back = await comeBack(server, gap);
    expect(account(await back.takeUntil(last), gap.last).gaps).toEqual([]);

    using taker = await open(server, { clientId: "stalled" });
    const info = await stalled.next();
    expect(info).toMatchObject({ msg: "subscription_replaced", lastEventId: received.at(-1)?.lastEventId ?? "" });
    expect(taker.over).toBe(false);
  });

  test("that asked to be disconnected when slow misses nothing once it is back", async () => {
    await using server = startTestServer({ MAX_HISTORY: "1000" });
    await createTopic(server, "t");
    using stalled = await open(server, { clientId: "stalled", overflow: "disconnect", stalled: true });
    const last = await overwhelm(server, "t", "stalled");
    stalled.resume();
    expect(await stalled.ended).toEqual({ how: "ended" });
    const before = await stalled.rest();
    const { seqs } = account(before, 0);
    using back = await comeBack(server, before.at(-1), { overflow: "disconnect" });
    // It would rather come back than have a gap: what it was told of still waits for it.
    expect(await back.next()).toMatchObject({ kind: "subscribed", recovered: true, replay: last - seqs.length });
    expect([...seqs, ...seqsOf(await back.takeUntil(last))]).toEqual(range(1, last));
  });

  test("is given a client id where none is asked for, so that two do not replace each other", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    using one = await open(server);
    using two = await open(server);
    await publish(server, "t", [1]);
    for (const stream of [one, two]) expect(seqsOf(await stream.takeUntil(1))).toEqual([1]);
    const ids = (await topicDetail(server, "t")).subscribers.map(({ client_id }) => client_id);
    expect(new Set(ids).size).toBe(2);
  });
});

test("a stream that is asked for with If-None-Match begins, and is gone with its client", async () => {
  await using server = startTestServer({ TOPICS: "t", HEARTBEAT_INTERVAL_MS: "0" });
  const hangUp = new AbortController();
  const headers = { "if-none-match": "*" };
  const response = await fetch(`${server.url}/topics/t/events`, { headers, signal: hangUp.signal });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  hangUp.abort();
  await until(async () => (await metrics(server)).get("pubsub_subscriptions") === 0);
});
