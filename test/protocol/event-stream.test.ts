import { describe, expect, test } from "bun:test";
import {
  COMMENT,
  eventId,
  parseEventId,
  parsePosition,
  retryField,
  streamEvent,
} from "../../src/protocol/event-stream.ts";
import { EventStreamParser, type ReceivedEvent } from "../support/event-stream.ts";
import { JsonWriter } from "../support/json-writer.ts";
import { Random, seedOfRun } from "../support/random.ts";

/** What a client makes of the text of a stream. */
function received(text: string): ReceivedEvent[] {
  return new EventStreamParser().push(Buffer.from(text));
}

describe("an event id", () => {
  test.each([
    ["9f2c41d07a3e", 1],
    ["e", 0],
    ["", 7],
    ["a b", 42],
    ["000", 999_999_999_999_999],
  ])("of epoch %j and seq %d is read as what it was made from", (epoch, seq) => {
    expect(parseEventId(eventId({ epoch, seq }))).toEqual({ epoch, seq });
  });

  test.each([
    "",
    ":",
    "e",
    "e:",
    "1",
    "e:-1",
    "e:+1",
    "e:1.5",
    "e:1e3",
    "e: 1",
    "e:1 ",
    "e:1\n",
    "\ne:1\n",
    "e:x",
    "e:0x1",
    "e:1:2",
    "e:f:1",
    "e::1",
    "e:١",
    `e:${"1".repeat(16)}`,
    "e:1,f:2",
    "null",
  ])("is not %j", (text) => {
    expect(parseEventId(text)).toBeUndefined();
  });

  test("is written as the protocol says", () => {
    expect(eventId({ epoch: "9f2c41d07a3e", seq: 41 })).toBe("9f2c41d07a3e:41");
  });
});

describe("a position in a query", () => {
  test.each([
    ["e:1", { epoch: "e", seq: 1 }],
    [":7", { epoch: "", seq: 7 }],
    ["1", { seq: 1 }],
    ["0", { seq: 0 }],
    ["000:0", { epoch: "000", seq: 0 }],
    ["999999999999999", { seq: 999_999_999_999_999 }],
  ])("%s is read", (text, position) => {
    expect(parsePosition(text)).toStrictEqual(position);
  });

  test.each(["", ":", "e", "e:", "-1", "+1", "1.5", "1e3", " 1", "1 ", "1\n", "0x1", "e:1:2", "١", "1".repeat(16)])(
    "is not %j",
    (text) => {
      expect(parsePosition(text)).toBeUndefined();
    },
  );
});

test("the time after which to come back is a field of its own, of 1 to 3 s, spread over all of that", () => {
  const times = Array.from({ length: 2000 }, () => Number(/^retry: (\d{4})\n$/.exec(retryField())?.[1]));
  expect(Math.min(...times)).toBeWithin(1000, 1200);
  expect(Math.max(...times)).toBeWithin(2800, 3001);
});

describe("an event of a stream", () => {
  test("of one line is exactly its fields", () => {
    expect(streamEvent("{}", {})).toBe("data: {}\n\n");
    expect(streamEvent("{}", { id: "e:1" })).toBe("id: e:1\ndata: {}\n\n");
    expect(streamEvent("{}", { name: "info" })).toBe("event: info\ndata: {}\n\n");
    expect(streamEvent("{}", { name: "info", id: "e:1" })).toBe("event: info\nid: e:1\ndata: {}\n\n");
  });

  test("without a name is a message, and without an id leaves the position as it was", () => {
    const text = [
      streamEvent("a", { id: "e:1" }),
      streamEvent("b", { name: "info" }),
      COMMENT,
      streamEvent("c", {}),
      streamEvent("d", { name: "slow_consumer", id: "e:9" }),
      streamEvent("e", { id: "" }),
    ];
    expect(received(text.join(""))).toEqual([
      { type: "message", data: "a", lastEventId: "e:1" },
      { type: "info", data: "b", lastEventId: "e:1" },
      { type: "message", data: "c", lastEventId: "e:1" },
      { type: "slow_consumer", data: "d", lastEventId: "e:9" },
      { type: "message", data: "e", lastEventId: "" },
    ]);
  });

  test.each([
    "",
    " ",
    "  two spaces",
    ":",
    ": no comment",
    "id: x:9",
    "event: x",
    "data: x",
    "retry: 1",
    "null\0",
    "\ufeff{}",
    "a\u2028b\u2029c\u0085d\u000be\u000cf",
    "é😀",
    `{"a": "\\n\\r"}`,
  ])("brings its data as it is: %j", (data) => {
    expect(received(streamEvent(data, { id: "e:1" }))).toEqual([{ type: "message", data, lastEventId: "e:1" }]);
  });

  test.each(["\n", "\r", "\r\n", "\n\r", "\r\r\n\n", "\n\n\n"])(
    "may have the line ends %j anywhere in its data, which come as line feeds",
    (ends) => {
      for (const data of [`a${ends}b`, `${ends}a`, `a${ends}`, ends, `a${ends}id: x:9${ends}event: x${ends}b`]) {
        const event = streamEvent(data, { id: "e:1", name: "n" });
        expect(received(event + streamEvent("next", {}))).toEqual([
          { type: "n", data: data.replaceAll(/\r\n|\r/g, "\n"), lastEventId: "e:1" },
          { type: "message", data: "next", lastEventId: "e:1" },
        ]);
      }
    },
  );

  test("stays the same JSON, whatever white space its payload has", () => {
    const payload = `{\r\n  "a": [\r1,\n\n2 ] }`;
    const [event] = received(streamEvent(payload, {}));
    expect(JSON.parse(event?.data ?? "")).toEqual(JSON.parse(payload));
  });
});

test("a heartbeat is a comment and no event", () => {
  const parser = new EventStreamParser();
  expect(parser.push(Buffer.from(COMMENT + COMMENT))).toEqual([]);
  expect(parser.comments).toEqual([" heartbeat", " heartbeat"]);
});

test("any stream of events is read the same, wherever its bytes are cut", () => {
  const seed = seedOfRun();
  const random = new Random(seed);
  const json = new JsonWriter(random);
  for (let round = 0; round < 300; round++) {
    let lastEventId = "";
    const expected: ReceivedEvent[] = [];
    let text = "";
    for (let left = 1 + random.int(6); left > 0; left--) {
      const data = random.chance(0.8) ? json.space() + json.value(3) + json.space() : random.pick(["", "\r", "\n\r\n"]);
      const id = random.chance(0.6) ? eventId({ epoch: "e", seq: random.int(1e9) }) : undefined;
      const name = random.chance(0.3) ? random.pick(["info", "subscribed", "slow_consumer"]) : undefined;
      text += streamEvent(data, { ...(id === undefined ? {} : { id }), ...(name === undefined ? {} : { name }) });
      if (random.chance(0.2)) text += COMMENT;
      lastEventId = id ?? lastEventId;
      expected.push({ type: name ?? "message", data: data.replaceAll(/\r\n|\r/g, "\n"), lastEventId });
    }
    const bytes = Buffer.from(text);
    const parser = new EventStreamParser();
    const found: ReceivedEvent[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + random.int(random.pick([2, 20, 400]));
      found.push(...parser.push(bytes.subarray(at, end)));
      at = end;
    }
    expect(found, `SEED=${seed}, round ${round}: ${JSON.stringify(text)}`).toEqual(expected);
  }
});
