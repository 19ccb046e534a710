import { describe, expect, test } from "bun:test";
import { connect } from "../../src/client/index.ts";
import { history, post, publishBody, topicUrl } from "../support/answers.ts";
import { Client, ID } from "../support/client.ts";
import { EventStream } from "../support/event-stream.ts";
import { createTopic, startTestServer } from "../support/server.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT = `00-${TRACE_ID}-00f067aa0ba902b7-01`;
const HEADERS = { headers: { traceparent: TRACEPARENT } };

describe("a traceparent", () => {
  test("in a frame is delivered beside the message, live, on replay, by an event stream, and in history", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await client.subscribe("t", "live");
    await using stream = await EventStream.open(topicUrl(server, "t", "/events"));
    await stream.next();
    const message = { id: ID, payload: { traceparent: "mine" } };
    await using publisher = await Client.connect(server);
    await publisher.ask({ type: "publish", topic: "t", message, traceparent: TRACEPARENT });
    await publisher.ask({ type: "publish", topic: "t", messages: [message, message], traceparent: TRACEPARENT });
    const expected = [1, 2, 3].map((seq) => expect.objectContaining({ seq, traceparent: TRACEPARENT, message }));
    expect(await client.take(3)).toEqual(expected);
    expect((await stream.take(3)).map(({ data }) => JSON.parse(data))).toEqual(expected);
    await client.subscribe("t", "late", 3);
    expect(await client.take(3)).toEqual(expected);
    const { messages } = await history(server, "t");
    expect(messages).toEqual(
      [1, 2, 3].map((seq) => expect.objectContaining({ seq, traceparent: TRACEPARENT, ...message })),
    );
  });

  test("in a header is delivered with each message; one that is malformed is not, nor what is not there", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const body = { messages: [{ payload: 1 }, { payload: 2 }] };
    expect((await post(server, "t", body, HEADERS)).status).toBe(200);
    expect((await post(server, "t", body, { headers: { traceparent: `${TRACEPARENT}-x` } })).status).toBe(200);
    await publishBody(server, "t", { payload: 5, traceparent: TRACEPARENT });
    const { messages } = await history(server, "t");
    const traces = messages.map(({ traceparent }) => traceparent);
    expect(traces).toEqual([TRACEPARENT, TRACEPARENT, undefined, undefined, undefined]);
    expect(messages.map(({ payload }) => payload)).toEqual([1, 2, 1, 2, 5]);
  });

  test("in a frame that is none is refused, and null counts as absent", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    const publish = { type: "publish", topic: "t", message: { id: ID, payload: 1 } };
    for (const traceparent of ["", "x", 1, {}, `${TRACEPARENT}"`]) {
      const { error } = await client.ask({ ...publish, traceparent });
      expect(error).toMatchObject({ code: "BAD_REQUEST", message: expect.stringContaining("'traceparent' must be") });
    }
    expect(await client.ask({ ...publish, traceparent: null })).toMatchObject({ type: "ack", seq: 1 });
  });

  test("does not let an event grow larger than MAX_MESSAGE_BYTES", async () => {
    await using server = startTestServer({ MAX_MESSAGE_BYTES: "350" });
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    const publish = (length: number, traceparent?: string) =>
      client.ask({ type: "publish", topic: "t", message: { id: ID, payload: "x".repeat(length) }, traceparent });
    const [fits, tooLarge] = [await publish(165), await publish(165, TRACEPARENT)];
    expect(fits).toMatchObject({ type: "ack" });
    expect(tooLarge.error).toMatchObject({ code: "TOO_LARGE" });
  });

  test("goes through the client library, both ways", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    const client = connect(server.url);
    await client.publish("t", 1, { traceparent: TRACEPARENT });
    await client.publishBatch("t", [{ payload: 2 }], { traceparent: TRACEPARENT });
    await client.publish("t", 3);
    const seen = [];
    for await (const item of client.subscribe("t", { last: 3 })) {
      if (item.type === "event") seen.push([item.payload, item.traceparent]);
      if (seen.length === 3) break;
    }
    const all = [
      [1, TRACEPARENT],
      [2, TRACEPARENT],
      [3, undefined],
    ];
    expect(seen).toEqual(all);
    const { events } = await client.history("t");
    expect(events.map(({ payload, traceparent }) => [payload, traceparent])).toEqual(all);
    await client.close();
  });
});

describe("the log", () => {
  test("names the trace of what was refused, over HTTP and in a frame", async () => {
    await using server = startTestServer({
      MAX_BATCH_MESSAGES: "1",
      TOPICS: "t",
      LOG_LEVEL: "warn",
      ALLOWED_ORIGINS: "http://ours.example",
    });
    const body = { messages: [{ payload: 1 }, { payload: 2 }] };
    await post(server, "t", body, HEADERS);
    await fetch(`${server.url}/topics`, { headers: { ...HEADERS.headers, origin: "http://theirs.example" } });
    const refused = server.lines.filter((line) => line.includes("refused"));
    expect(refused).toHaveLength(2);
    for (const line of refused) expect(line).toContain(`trace_id=${TRACE_ID}`);

    await using other = startTestServer({ MAX_BATCH_MESSAGES: "1", TOPICS: "t", LOG_LEVEL: "warn" });
    await using client = await Client.connect(other);
    const messages = [1, 2].map((payload) => ({ id: ID, payload }));
    await client.ask({ type: "publish", topic: "t", messages, traceparent: TRACEPARENT });
    expect(other.lines.filter((line) => line.includes("refused"))).toEqual([
      expect.stringContaining(`trace_id=${TRACE_ID}`),
    ]);
  });

  test("names the trace of an event stream and of a WebSocket in each line about it", async () => {
    await using server = startTestServer({ TOPICS: "t", LOG_LEVEL: "debug" });
    const stream = await fetch(topicUrl(server, "t", "/events"), HEADERS);
    await stream.body?.cancel();
    const socket = new WebSocket(server.wsUrl, HEADERS);
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    socket.send(JSON.stringify({ type: "subscribe", topic: "t", client_id: "me" }));
    await new Promise((resolve) => socket.addEventListener("message", resolve));
    socket.close();
    const about = () => server.lines.filter((line) => /connected|subscribed|subscription ended/.test(line));
    // Of each: connected, subscribed, subscription ended, disconnected.
    while (about().length < 8) await Bun.sleep(5);
    for (const line of about()) expect(line).toContain(`trace_id=${TRACE_ID}`);
  });
});
