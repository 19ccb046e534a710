import { describe, expect, test } from "bun:test";
import { declareForeign } from "./contract.ts";
import { EventStream, EventStreamParser, type ReceivedEvent } from "./event-stream.ts";

/** The parser after it was pushed `text`, whole or byte by byte, and the events that it made of it. */
function parsed(text: string | Uint8Array, size = Number.POSITIVE_INFINITY) {
  const bytes = Buffer.from(text);
  const parser = new EventStreamParser();
  const events: ReceivedEvent[] = [];
  for (let at = 0; at < bytes.length; at += size) events.push(...parser.push(bytes.subarray(at, at + size)));
  return { parser, events };
}

const message = (data: string, lastEventId = "") => ({ type: "message", data, lastEventId });

describe("EventStreamParser", () => {
  // The examples of HTML §9.2.6, and what its rules say besides.
  const cases: [string, string, ReceivedEvent[]][] = [
    ["joins lines of data", "data: YHOO\ndata: +2\ndata: 10\n\n", [message("YHOO\n+2\n10")]],
    [
      "keeps an id until it is reset",
      ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
      [message("first event", "1"), message("second event"), message(" third event")],
    ],
    [
      "counts empty data as data, and none as no event",
      "data\n\ndata\ndata\n\nid: 2\n\ndata:",
      [message(""), message("\n")],
    ],
    ["strips one space", "data:test\n\ndata: test\n\n", [message("test"), message("test")]],
    [
      "knows an event's name for that event only",
      "event: x\ndata: a\n\ndata: b\n\n",
      [{ ...message("a"), type: "x" }, message("b")],
    ],
    ["forgets the name of an event without data", "event: x\n\ndata: a\n\n", [message("a")]],
    ["takes an empty name for none, and the last of several", "event: x\nevent\ndata: a\n\n", [message("a")]],
    ["takes no id with a null in it", "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n", [message("a", "1"), message("b", "1")]],
    ["ignores unknown fields and case", "Data: a\nx: y\n: z\ndata : b\ndata: c\n\n", [message("c")]],
    [
      "ignores a byte order mark at the start only",
      "\ufeffdata: a\n\n\ufeffdata: b\n\ndata: \ufeffc\n\n",
      [message("a"), message("\ufeffc")],
    ],
    ["discards what the stream ends amid", "data: a\n\ndata: b\n", [message("a")]],
    ["takes any colon after the first as it is", "data: a:b: c\n\n", [message("a:b: c")]],
  ];

  test.each(cases)("%s", (_what, text, events) => {
    for (const ends of ["\n", "\r\n", "\r"]) {
      const stream = text.replaceAll("\n", ends);
      for (const size of [Number.POSITIVE_INFINITY, 1, 2, 3]) expect(parsed(stream, size).events).toEqual(events);
    }
  });

  test("gives an event at once, also where its last line end may go on", () => {
    const { parser, events } = parsed("data: a\r\r");
    expect(events).toEqual([message("a")]);
    expect(parser.push(Buffer.from("\ndata: b\n\n"))).toEqual([message("b")]);
  });

  test("puts characters together that were cut, and replaces what is none", () => {
    expect(parsed("data: 😀é\n\n", 1).events).toEqual([message("😀é")]);
    const broken = Buffer.concat([Buffer.from("data: a"), new Uint8Array([0xff]), Buffer.from("b\n\n")]);
    expect(parsed(broken, 1).events).toEqual([message("a\ufffdb")]);
  });

  test("knows the position after an event without data", () => {
    expect(parsed("id: 7\n").parser.lastEventId).toBe("");
    expect(parsed("id: 7\n\n").parser.lastEventId).toBe("7");
  });

  test("takes a reconnection time of digits only", () => {
    expect(parsed("retry: 10\nretry: 20x\nretry: -1\nretry\nretry: 1.5\n").parser.retryMs).toBe(10);
  });

  test("keeps comments apart", () => {
    expect(parsed(":\n: a\n:b\ndata: c\n\n", 1)).toMatchObject({
      parser: { comments: ["", " a", "b"] },
      events: [{ data: "c" }],
    });
  });
});

describe("EventStream", () => {
  test("hands out events as they come, and their end", async () => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("data: a\n\ndata: b\n\ndata"),
    });
    using _ = declareForeign(server.url.href);
    await using stream = await EventStream.open(server.url.href);
    expect(await stream.take(2)).toEqual([message("a"), message("b")]);
    expect(await stream.nextOrEnd()).toBeUndefined();
    await expect(stream.next()).rejects.toThrow("ended");
    await server.stop(true);
  });

  test("refuses an answer that is no stream, with what it says", async () => {
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("why", { status: 404 }) });
    using _ = declareForeign(server.url.href);
    await expect(EventStream.open(server.url.href)).rejects.toThrow("404: why");
    await server.stop(true);
  });

  test("hangs up when it is disposed of, in the midst of a stream", async () => {
    const hungUp = Promise.withResolvers<void>();
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: ({ signal }) => {
        signal.addEventListener("abort", () => hungUp.resolve());
        return new Response(
          new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from("data: a\n\n")) }),
        );
      },
    });
    using _ = declareForeign(server.url.href);
    {
      await using stream = await EventStream.open(server.url.href);
      expect(await stream.next()).toEqual(message("a"));
    }
    await hungUp.promise;
    await server.stop(true);
  });
});
