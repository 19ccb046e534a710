import { describe, expect, test } from "bun:test";
import { readCreateTopic, readHistoryQuery, readMessages, readEventsQuery } from "../../src/protocol/http.ts";
import type { EventsQuery } from "../../src/protocol/schema.ts";
import type { Read } from "../../src/protocol/read.ts";

const ID = "A1b2c3d4-e5f6-7890-1234-567890abcdef";
const UUID_PROBLEM = "must be a valid UUID";

function problemOf(read: Read<unknown>): string {
  if (read.ok) throw new Error(`Accepted: ${JSON.stringify(read.content)}`);
  return read.problem;
}

function contentOf<T>(read: Read<T>): T {
  if (!read.ok) throw new Error(`Refused: ${read.problem}`);
  return read.content;
}

const messagesOf = (read: ReturnType<typeof readMessages>) => contentOf(read).messages;

/** A `makeId` that makes "made 1", "made 2" and so on. */
function counting() {
  let made = 0;
  return () => `made ${++made}`;
}

const never = () => {
  throw new Error("An id was made");
};

describe("any body", () => {
  test.each([
    ["null", "null"],
    ["an array", "[]"],
    ["an array", `[{"name":"a","payload":1}]`],
    ["a string", `"{}"`],
    ["a number", "0"],
    ["a boolean", "true"],
  ])("that is %s is refused: %s", (what, text) => {
    const problem = `The body must be a JSON object, not ${what}`;
    expect(problemOf(readCreateTopic(text))).toBe(problem);
    expect(problemOf(readMessages(text, never))).toBe(problem);
  });

  test.each(["", " ", "{", "payload=1", `{"payload":1}}`, `{'payload':1}`, `{"payload":1,}`, `{"payload":01}`])(
    "that is not JSON is refused: %j",
    (text) => {
      for (const read of [readCreateTopic(text), readMessages(text, never)]) {
        expect(problemOf(read)).toStartWith("Not valid JSON: ");
      }
    },
  );
});

describe("readCreateTopic", () => {
  test("reads the name, and nothing else", () => {
    expect(contentOf(readCreateTopic(` {"x":1,"name":"a\\u002fb"} `))).toEqual({ name: "a/b" });
    expect(contentOf(readCreateTopic(`{"name":"a","name":"b"}`))).toEqual({ name: "b" });
    expect(contentOf(readCreateTopic(JSON.stringify({ name: "x".repeat(255) }))).name).toHaveLength(255);
  });

  test.each([
    ["{}", "Missing 'name'"],
    [`{"name":null}`, "Missing 'name'"],
    [`{"Name":"a"}`, "Missing 'name'"],
    [`{"__proto__":{"name":"a"}}`, "Missing 'name'"],
    [`{"name":1}`, "'name' must be a string"],
    [`{"name":["a"]}`, "'name' must be a string"],
    [`{"name":""}`, "'name' must be 1 to 255 UTF-8 bytes without control characters"],
    [`{"name":"a\\u0000"}`, "'name' must be 1 to 255 UTF-8 bytes without control characters"],
    [`{"name":"\\ud800"}`, "'name' must be 1 to 255 UTF-8 bytes without control characters"],
    [`{"name":"${"é".repeat(128)}"}`, "'name' must be 1 to 255 UTF-8 bytes without control characters"],
  ])("refuses %s", (text, problem) => {
    expect(problemOf(readCreateTopic(text))).toBe(problem);
  });
});

describe("readMessages", () => {
  test("takes one message, with an id of its own or one that is made", () => {
    expect(messagesOf(readMessages(`{"payload":1.10,"id":"${ID}"}`, never))).toEqual([{ id: ID, payload: "1.10" }]);
    expect(messagesOf(readMessages(`{"payload":null}`, counting()))).toEqual([{ id: "made 1", payload: "null" }]);
    expect(messagesOf(readMessages(`{"id":null,"payload":{}}`, counting()))).toEqual([{ id: "made 1", payload: "{}" }]);
    expect(messagesOf(readMessages(`{"id":"${ID}","id":null,"payload":1}`, counting()))).toMatchObject([
      { id: "made 1" },
    ]);
  });

  test("makes the ids that were left out, in order, and no others", () => {
    const messages = `[{"payload":1},{"payload":2,"id":"${ID}"},{"id":null,"payload":3},{"id":"${ID}","payload":4}]`;
    expect(messagesOf(readMessages(`{"messages":${messages}}`, counting()))).toEqual([
      { id: "made 1", payload: "1" },
      { id: ID, payload: "2" },
      { id: "made 2", payload: "3" },
      { id: ID, payload: "4" },
    ]);
  });

  test("counts null as absent, of `messages` and of no payload", () => {
    expect(messagesOf(readMessages(`{"messages":null,"payload":1}`, counting()))).toEqual([
      { id: "made 1", payload: "1" },
    ]);
    expect(problemOf(readMessages(`{"messages":null}`, never))).toBe("Missing 'payload'");
    expect(messagesOf(readMessages(`{"messages":[],"messages":null,"payload":1}`, counting()))).toHaveLength(1);
  });

  test("makes no id for a message that is refused, nor for those beside it", () => {
    for (const body of [`{"id":"x","payload":1}`, "{}", `{"messages":[{"payload":1},{}]}`, `{"messages":[]}`]) {
      problemOf(readMessages(body, never));
    }
  });

  test("is not misled by what a body has besides", () => {
    const besides = `"message":{"payload":4},"topic":"x","ack":false,"__proto__":{"messages":[]},"toString":1`;
    expect(messagesOf(readMessages(`{${besides},"payload":5,${besides}}`, counting()))).toEqual([
      { id: "made 1", payload: "5" },
    ]);
    expect(messagesOf(readMessages(`{"id":"x",${besides},"messages":[{"payload":5}]}`, counting()))).toEqual([
      { id: "made 1", payload: "5" },
    ]);
  });

  test.each([
    ["no payload", "{}", "Missing 'payload'"],
    ["an id alone", `{"id":"${ID}"}`, "Missing 'payload'"],
    ["a message as a frame has it", `{"message":{"id":"${ID}","payload":1}}`, "Missing 'payload'"],
    ["a payload in __proto__ only", `{"__proto__":{"payload":1}}`, "Missing 'payload'"],
    ["a bad id", `{"id":"x","payload":1}`, `id ${UUID_PROBLEM}`],
    ["an empty id", `{"id":"","payload":1}`, `id ${UUID_PROBLEM}`],
    ["a number for id", `{"id":0,"payload":1}`, `id ${UUID_PROBLEM}`],
    ["false for id", `{"id":false,"payload":1}`, `id ${UUID_PROBLEM}`],
    ["a bad id and no payload", `{"id":"x"}`, `id ${UUID_PROBLEM}`],
    ["an empty list", `{"messages":[]}`, "'messages' must not be empty"],
    ["an object for a list", `{"messages":{"payload":1}}`, "'messages' must be an array"],
    ["text for a list", `{"messages":"[]"}`, "'messages' must be an array"],
    ["false for a list", `{"messages":false}`, "'messages' must be an array"],
    ["null in a list", `{"messages":[{"payload":1},null]}`, "'messages[1]' must be an object"],
    ["a list in a list", `{"messages":[[{"payload":1}]]}`, "'messages[0]' must be an object"],
    ["a bare payload in a list", `{"messages":[{"payload":1},"x"]}`, "'messages[1]' must be an object"],
    ["no payload in a list", `{"messages":[{"payload":1},{"id":"${ID}"}]}`, "Missing 'messages[1].payload'"],
    ["a bad id in a list", `{"messages":[{"payload":1},{"id":"x","payload":1}]}`, `messages[1].id ${UUID_PROBLEM}`],
    ["several faults", `{"messages":[{"payload":1},{},{"id":1}]}`, "Missing 'messages[1].payload'"],
    [
      "both payload and messages",
      `{"payload":1,"messages":[{"payload":1}]}`,
      "'payload' and 'messages' exclude each other",
    ],
    [
      "a payload null beside messages",
      `{"payload":null,"messages":[{}]}`,
      "'payload' and 'messages' exclude each other",
    ],
    ["an empty list beside a payload", `{"payload":1,"messages":[]}`, "'payload' and 'messages' exclude each other"],
  ])("refuses %s", (_what, text, problem) => {
    expect(problemOf(readMessages(text, counting()))).toBe(problem);
  });
});

const NUMBERS = ["-1", "+1", "1.0", "1e2", "0x1", "a", "1a", "½", " ", "1 ", "١", "Infinity", "NaN", "1".repeat(16)];

describe("readHistoryQuery", () => {
  const read = (query: string) => readHistoryQuery(new URLSearchParams(query));

  test.each([
    ["", {}],
    ["last_n=0", { last_n: 0 }],
    ["last_n=007", { last_n: 7 }],
    [`last_n=${"9".repeat(15)}`, { last_n: 999_999_999_999_999 }],
    ["since=0", { since: { seq: 0 } }],
    ["since=ab12:7", { since: { epoch: "ab12", seq: 7 } }],
    ["since=:7", { since: { epoch: "", seq: 7 } }],
    ["since=3&until=5", { since: { seq: 3 }, until: 5 }],
    ["until=3&since=5", { since: { seq: 5 }, until: 3 }],
    ["epoch=e", { epoch: "e" }],
    ["epoch=a%20%26b&since=1", { epoch: "a &b", since: { seq: 1 } }],
    ["last_n=2&epoch=e", { last_n: 2, epoch: "e" }],
    ["last_n=&since=&until=&epoch=", {}],
    ["last_n&since&until&epoch", {}],
    ["last_n=&since=4&until=", { since: { seq: 4 } }],
    ["since=&last_n=4", { last_n: 4 }],
    ["last_n=1&last_n=2", { last_n: 2 }],
    ["last_n=1&last_n=", { last_n: 1 }],
  ])("of ?%s is %j", (query, content) => {
    expect(contentOf(read(query))).toEqual(content);
  });

  test.each(NUMBERS)("refuses %j for any number", (value) => {
    for (const field of ["last_n", "until"]) {
      const query = readHistoryQuery(
        new URLSearchParams(field === "until" ? { since: "0", until: value } : { [field]: value }),
      );
      expect(problemOf(query)).toBe(`'${field}' must be an integer of 0 or more`);
    }
  });

  test.each(["-1", "a", "e:", "e:x", "e:-1", "e:1:2", "1.5", "e:1 "])("refuses %j for a position", (value) => {
    for (const query of [readHistoryQuery, readEventsQuery]) {
      expect(problemOf(query(new URLSearchParams({ since: value })))).toBe(
        "'since' must be a position, EPOCH:SEQ, or a SEQ of the present epoch",
      );
    }
  });

  test.each([
    ["last_n=1&since=1", "'since' and 'last_n' exclude each other"],
    ["last_n=0&since=0", "'since' and 'last_n' exclude each other"],
    ["last_n=1&since=1&until=2", "'since' and 'last_n' exclude each other"],
    ["x=1", "Unknown query parameter 'x'; this path knows last_n, since, until, epoch"],
    ["since=4&queue=1", "Unknown query parameter 'queue'; this path knows last_n, since, until, epoch"],
    ["constructor=", "Unknown query parameter 'constructor'; this path knows last_n, since, until, epoch"],
    ["__proto__=1&since=4", "Unknown query parameter '__proto__'; this path knows last_n, since, until, epoch"],
    ["until=1", "'until' is for use with 'since'"],
    ["until=1&since=", "'until' is for use with 'since'"],
    ["until=0&last_n=1", "'until' is for use with 'since'"],
    ["until=1&epoch=e", "'until' is for use with 'since'"],
  ])("refuses ?%s", (query, problem) => {
    expect(problemOf(read(query))).toBe(problem);
  });
});

describe("readEventsQuery", () => {
  const read = (query: string) => readEventsQuery(new URLSearchParams(query));

  const accepted: [string, EventsQuery][] = [
    ["", {}],
    ["last_n=0&client_id=c&queue=1&overflow=latest", { last_n: 0, client_id: "c", queue: 1, overflow: "latest" }],
    ["overflow=drop_oldest", { overflow: "drop_oldest" }],
    ["overflow=disconnect", { overflow: "disconnect" }],
    ["client_id=a%2Fb+c", { client_id: "a/b c" }],
    [`client_id=${"x".repeat(255)}`, { client_id: "x".repeat(255) }],
    ["queue=50", { queue: 50 }],
    ["last_n=&client_id=&queue=&overflow=", {}],
    ["last_n&client_id&queue&overflow", {}],
    ["queue=2&queue=", { queue: 2 }],
    ["since=4", { since: { seq: 4 } }],
    ["since=e:4", { since: { epoch: "e", seq: 4 } }],
  ];

  test.each(accepted)("of ?%s is %j", (query, content) => {
    expect(contentOf(read(query))).toEqual(content);
  });

  test.each(NUMBERS)("refuses %j for any number", (value) => {
    for (const [field, least] of [
      ["last_n", 0],
      ["queue", 1],
    ] as const) {
      expect(problemOf(readEventsQuery(new URLSearchParams({ [field]: value })))).toBe(
        `'${field}' must be an integer of ${least} or more`,
      );
    }
  });

  test.each([
    ["last_n=1&since=1", "'since' and 'last_n' exclude each other"],
    ["queue=0", "'queue' must be an integer of 1 or more"],
    [
      "lastEventId=e:4",
      "Unknown query parameter 'lastEventId'; this path knows last_n, since, client_id, queue, overflow, access_token",
    ],
    [
      "since=4&epoch=e",
      "Unknown query parameter 'epoch'; this path knows last_n, since, client_id, queue, overflow, access_token",
    ],
    ["queue=00", "'queue' must be an integer of 1 or more"],
    ["overflow=Latest", "'overflow' must be one of drop_oldest, latest, disconnect"],
    ["overflow=0", "'overflow' must be one of drop_oldest, latest, disconnect"],
    ["overflow=constructor", "'overflow' must be one of drop_oldest, latest, disconnect"],
    ["client_id=a%00", "'client_id' must be 1 to 255 UTF-8 bytes without control characters"],
    ["client_id=%C2%85", "'client_id' must be 1 to 255 UTF-8 bytes without control characters"],
    [`client_id=${"x".repeat(256)}`, "'client_id' must be 1 to 255 UTF-8 bytes without control characters"],
  ])("refuses ?%s", (query, problem) => {
    expect(problemOf(read(query))).toBe(problem);
  });
});
