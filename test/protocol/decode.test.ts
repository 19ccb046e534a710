import { describe, expect, test } from "bun:test";
import { decode } from "../../src/protocol/decode.ts";
import { ID } from "../support/client.ts";
import { JsonWriter } from "../support/json-writer.ts";
import { HOSTILE_PAYLOADS } from "../support/payloads.ts";
import { Random, seedOfRun } from "../support/random.ts";

function accepted(text: string) {
  const decoded = decode(text);
  if (!decoded.ok) throw new Error(`Refused: ${decoded.problem}`);
  return decoded;
}

function refused(text: string) {
  const decoded = decode(text);
  if (decoded.ok) throw new Error(`Accepted: ${JSON.stringify(decoded)}`);
  return decoded;
}

const problemOf = (text: string) => refused(text).problem;

/** The payload's text as the broker would be handed it. */
function payloadOf(text: string): string {
  const { request } = accepted(text);
  if (request.type !== "publish") throw new Error(`Not a publish: ${request.type}`);
  const [message, ...more] = request.messages;
  if (message === undefined || more.length > 0) throw new Error(`Not one message: ${request.messages.length}`);
  return message.payload;
}

/** The JSON text of a frame, with `with` in place of or beside its usual fields; undefined leaves a field out. */
const frameOf = (usual: object) => (changes: object) => JSON.stringify({ ...usual, ...changes });
const subscribe = frameOf({ type: "subscribe", topic: "t", client_id: "c" });
const unsubscribe = frameOf({ type: "unsubscribe", topic: "t", client_id: "c" });
const publish = frameOf({ type: "publish", topic: "t", message: { id: ID, payload: 1 } });
const publishRaw = (payload: string) =>
  `{"type":"publish","topic":"t","message":{"id":"${ID}","payload":${payload}},"request_id":7}`;
const pingRaw = (requestId: string) => `{"type":"ping","request_id":${requestId}}`;

describe("decode", () => {
  test.each([
    ["subscribe", subscribe({}), { type: "subscribe", topic: "t", client_id: "c" }],
    ["subscribe with last_n", subscribe({ last_n: 5 }), { type: "subscribe", topic: "t", client_id: "c", last_n: 5 }],
    ["unsubscribe", unsubscribe({}), { type: "unsubscribe", topic: "t", client_id: "c" }],
    [
      "publish",
      publish({}),
      { type: "publish", topic: "t", messages: [{ id: ID, payload: "1" }], batch: false, ack: true, dedupe: false },
    ],
    ["ping", `{"type":"ping"}`, { type: "ping" }],
    ["white space around a frame", ` \t\r\n{ "type" : "ping" }\n`, { type: "ping" }],
  ] as const)("reads %s", (_what, text, request) => {
    expect(accepted(text)).toEqual({ ok: true, request, requestId: undefined });
  });

  test.each([
    ["publish without topic", publish({ topic: undefined }), "Missing 'topic'"],
    ["publish with topic null", publish({ topic: null }), "Missing 'topic'"],
    ["subscribe without topic", subscribe({ topic: undefined }), "Missing 'topic'"],
    ["subscribe with nothing at all", `{"type":"subscribe"}`, "Missing 'topic'"],
    ["unsubscribe without topic", unsubscribe({ topic: undefined }), "Missing 'topic'"],
    ["subscribe without client_id", subscribe({ client_id: undefined }), "Missing 'client_id' for subscribe"],
    ["subscribe with client_id null", subscribe({ client_id: null }), "Missing 'client_id' for subscribe"],
    ["unsubscribe without client_id", unsubscribe({ client_id: undefined }), "Missing 'client_id' for unsubscribe"],
    ["publish without message", publish({ message: undefined }), "Missing 'message' for publish"],
    ["publish with message null", publish({ message: null }), "Missing 'message' for publish"],
    ["a bad message.id", publish({ message: { id: "x", payload: 1 } }), "message.id must be a valid UUID"],
    ["a missing message.id", publish({ message: { payload: 1 } }), "message.id must be a valid UUID"],
    ["a numeric message.id", publish({ message: { id: 5, payload: 1 } }), "message.id must be a valid UUID"],
    ["an unknown type", `{"type":"x"}`, "Unknown message type 'x'"],
    ["an empty type", `{"type":""}`, "Unknown message type ''"],
    ["a type of a prototype's name", `{"type":"constructor"}`, "Unknown message type 'constructor'"],
    ["the type __proto__", `{"type":"__proto__"}`, "Unknown message type '__proto__'"],
    ["the type toString", `{"type":"toString"}`, "Unknown message type 'toString'"],
    ["a server's type", `{"type":"event"}`, "Unknown message type 'event'"],
  ])("words %s as the protocol does", (_what, text, problem) => {
    expect(problemOf(text)).toBe(problem);
  });

  test.each([
    ["no type", `{}`, "'type'"],
    ["type null", `{"type":null}`, "'type'"],
    ["a number for type", `{"type":1}`, "'type'"],
    ["an array for type", `{"type":["ping"]}`, "'type'"],
    ["a number for topic", subscribe({ topic: 1 }), "'topic'"],
    ["an object for topic", subscribe({ topic: {} }), "'topic'"],
    ["a number for client_id", subscribe({ client_id: 1 }), "'client_id'"],
    ["an empty client_id", subscribe({ client_id: "" }), "'client_id'"],
    ["text for message", publish({ message: "hello" }), "'message'"],
    ["an array for message", publish({ message: [] }), "'message'"],
    ["no payload", publish({ message: { id: ID } }), "payload"],
  ])("refuses %s, naming the field", (_what, text, field) => {
    expect(problemOf(text)).toContain(field);
  });

  test.each([
    "",
    " ",
    "{",
    "nonsense",
    "{'type':'ping'}",
    `{"type":"ping"} x`,
    `{"type":"ping",}`,
    `\uFEFF{"type":"ping"}`,
  ])("refuses %j as not JSON", (text) => {
    expect(problemOf(text)).toContain("JSON");
  });

  test.each(["null", "true", "1", `"ping"`, "[]", `[{"type":"ping"}]`])("refuses %s: not an object", (text) => {
    expect(problemOf(text)).toContain("object");
  });

  test("ignores unknown keys, those of prototypes included", () => {
    const keys = `"x":1,"__proto__":{"last_n":-1},"constructor":null,"toString":[],"hasOwnProperty":1`;
    expect(accepted(`{${keys},"type":"ping"}`).request).toEqual({ type: "ping" });
    expect(payloadOf(`{"type":"publish","topic":"t","message":{${keys},"id":"${ID}","payload":1},${keys}}`)).toBe("1");
  });

  test("takes no field from a key __proto__", () => {
    expect(problemOf(`{"__proto__":{"type":"ping"}}`)).toContain("'type'");
    expect(problemOf(`{"type":"subscribe","__proto__":{"topic":"t"},"client_id":"c"}`)).toBe("Missing 'topic'");
    const message = `{"__proto__":{"payload":1},"id":"${ID}"}`;
    expect(problemOf(`{"type":"publish","topic":"t","message":${message}}`)).toContain("payload");
  });

  test("counts null as absent in an optional field", () => {
    expect(accepted(subscribe({ last_n: null, request_id: null }))).toMatchObject({
      request: { type: "subscribe", topic: "t", client_id: "c" },
      requestId: undefined,
    });
  });

  test("cuts a client's own words in an error text", () => {
    expect(problemOf(JSON.stringify({ type: "x".repeat(100_000) })).length).toBeLessThan(200);
    expect(problemOf(`{"${"x".repeat(100_000)}`).length).toBeLessThan(200);
    expect(problemOf(JSON.stringify({ type: "😀".repeat(100) })).isWellFormed()).toBe(true);
  });

  test("names the topic of a frame that is wrong elsewhere, and only a topic that could exist", () => {
    expect(refused(subscribe({ client_id: undefined })).topic).toBe("t");
    expect(refused(`{"type":"x","topic":"t"}`).topic).toBe("t");
    expect(refused(subscribe({ topic: "a\n" })).topic).toBeUndefined();
    expect(refused(subscribe({ topic: "x".repeat(100_000) })).topic).toBeUndefined();
  });
});

describe("a message id", () => {
  test.each([
    ["the seeds' own example", ID],
    ["upper case", ID.toUpperCase()],
    ["all zeros", "00000000-0000-0000-0000-000000000000"],
    ["all f", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    ["version 4", "9b2d6a1e-7c3f-4f55-8a3a-1b2c3d4e5f60"],
    ["version 7", "01890a5d-ac96-774b-bcce-b302099a8057"],
  ])("passes: %s", (_what, id) => {
    expect(accepted(publish({ message: { id, payload: 1 } })).request).toMatchObject({ messages: [{ id }] });
  });

  test.each([
    "",
    "not-a-uuid",
    ID.replaceAll("-", ""),
    `{${ID}}`,
    `urn:uuid:${ID}`,
    ID.slice(1),
    `${ID}0`,
    `${ID}\n`,
    ` ${ID}`,
    ID.replace("a1", "g1"),
    `${ID}","x":"`,
    ID.replace("1", "１"),
  ])("is refused: %j", (id) => {
    expect(problemOf(publish({ message: { id, payload: 1 } }))).toBe("message.id must be a valid UUID");
  });
});

describe("a name", () => {
  const fits = [
    "a",
    " ",
    "x".repeat(255),
    `${"é".repeat(127)}a`,
    "😀".repeat(63),
    "a/b",
    `"`,
    "\\",
    "__proto__",
    "\u2028",
  ];
  const doesNot = {
    empty: "",
    "256 bytes": "x".repeat(256),
    "256 bytes in 128 letters": "é".repeat(128),
    "256 bytes in 64 emoji": "😀".repeat(64),
    "a null": "a\0b",
    "a line feed": "a\n",
    "the last of C0": "\u001f",
    "a delete": "\u007f",
    "a C1 control": "\u0085",
    "a lone high surrogate": "\ud83d",
    "a lone low surrogate": "a\ude00b",
    "surrogates the wrong way round": "\ude00\ud83d",
  };

  test.each(["topic", "client_id"])("%s of 1 to 255 bytes without control characters passes", (field) => {
    for (const name of fits) expect(accepted(subscribe({ [field]: name })).request).toMatchObject({ [field]: name });
  });

  test.each(Object.entries(doesNot))("is refused: %s", (_what, name) => {
    for (const field of ["topic", "client_id"]) {
      for (const frame of [subscribe, unsubscribe]) {
        expect(problemOf(frame({ [field]: name }))).toBe(
          `'${field}' must be 1 to 255 UTF-8 bytes without control characters`,
        );
      }
    }
    expect(problemOf(publish({ topic: name }))).toContain("'topic' must be 1 to 255 UTF-8 bytes");
  });

  test("is refused with a lone surrogate written as an escape", () => {
    expect(problemOf(`{"type":"subscribe","topic":"\\ud800","client_id":"c"}`)).toContain("'topic'");
    expect(problemOf(`{"type":"subscribe","topic":"t","client_id":"x\\uDC00"}`)).toContain("'client_id'");
  });

  test("may be written with escapes", () => {
    expect(accepted(`{"type":"subscribe","topic":"\\ud83d\\ude00\\u0041","client_id":"c"}`).request).toMatchObject({
      topic: "😀A",
    });
  });
});

describe("last_n", () => {
  test.each([
    ["0", 0],
    ["-0", 0],
    ["1", 1],
    ["100", 100],
    ["1.0", 1],
    ["1e2", 100],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ] as const)("%s passes", (text, value) => {
    const { request } = accepted(`{"type":"subscribe","topic":"t","client_id":"c","last_n":${text}}`);
    expect(request.type === "subscribe" && Math.abs(request.last_n ?? Number.NaN)).toBe(value);
  });

  test.each(["-1", "1.5", "1e400", "-1e400", `"5"`, `""`, "true", "[]", "{}"])("%s is refused", (text) => {
    expect(problemOf(`{"type":"subscribe","topic":"t","client_id":"c","last_n":${text}}`)).toBe(
      "'last_n' must be an integer of 0 or more",
    );
  });
});

describe("request_id", () => {
  test.each([
    `"r1"`,
    `""`,
    `"a\\u0062\\n\\"}{][,\\\\"`,
    `"\\ud800"`,
    "7",
    "-0",
    "12345678901234567890",
    "1.10",
    "1e400",
    "1E+2",
  ])("%j goes back as it came, from a good frame and from a bad one", (id) => {
    expect(accepted(pingRaw(id)).requestId).toBe(id);
    expect(accepted(`{"request_id" :\t${id}\n, "type":"ping"}`).requestId).toBe(id);
    expect(refused(`{"type":"x","request_id":${id}}`).requestId).toBe(id);
  });

  test.each(["true", "false", "[]", "[1]", "{}"])("%s is refused", (id) => {
    const { problem, requestId } = refused(pingRaw(id));
    expect(problem).toContain("'request_id'");
    expect(requestId).toBeUndefined();
  });

  test.each([
    [`"request_id":1,"request_id":"2"`, `"2"`],
    [`"request_id":null,"request_id":1`, "1"],
    [`"request_id":[],"request_id":1`, "1"],
    [`"request_id":1,"request_id":null`, undefined],
    [`"request\\u005fid":3`, "3"],
    [`"x":{"request_id":1}`, undefined],
    [`"x":"\\"request_id\\":1"`, undefined],
  ])("of {%s} is the one JSON.parse would take", (members, id) => {
    expect(accepted(`{"type":"ping",${members}}`).requestId).toBe(id);
  });
});

describe("a payload", () => {
  test.each(HOSTILE_PAYLOADS)("%j is delivered as it was written", (payload) => {
    expect(payloadOf(publishRaw(payload))).toBe(payload);
    const spaced = `{ "message" : { "payload" :\r\n${payload}\t, "id" : "${ID}" } , "topic" : "t" , "type" : "publish" }`;
    expect(payloadOf(spaced)).toBe(payload);
  });

  const whole = (message: string) => `{"type":"publish","topic":"t",${message}}`;
  test.each([
    ["its key is written with escapes", whole(`"message":{"id":"${ID}","p\\u0061yload":5}`)],
    ["the key message is written with escapes", whole(`"mess\\u0061ge":{"id":"${ID}","payload":5}`)],
    ["the key payload is repeated", whole(`"message":{"payload":[4],"id":"${ID}","payload":5}`)],
    ["a repeated key is written in two ways", whole(`"message":{"payload":4,"id":"${ID}","p\\u0061yload":5}`)],
    ["the key message is repeated", whole(`"message":{"id":"${ID}","payload":4},"message":{"id":"${ID}","payload":5}`)],
    ["an earlier message is no object", whole(`"message":"payload","message":{"id":"${ID}","payload":5}`)],
    [
      "the word is a value elsewhere",
      `{"type":"publish","x":"payload","topic":"payload","request_id":"payload","message":{"x":"payload","y":["payload",4],"id":"${ID}","payload":5,"z":"\\"payload\\":4"}}`,
    ],
    [
      "the key is there outside the message",
      `{"payload":4,"x":{"message":{"payload":4}},"type":"publish","topic":"t","message":{"x":{"payload":4},"id":"${ID}","payload":5,"y":{"payload":4}},"payload":4}`,
    ],
    ["the word is a value before it", whole(`"x":"payload","y":["payload",4],"message":{"id":"${ID}","payload":5}`)],
    ["the word is the value right before it", whole(`"message":{"id":"${ID}","x":"payload","payload":5}`)],
    [
      "the word is the value right before it, with space",
      whole(`"message":{"id":"${ID}","x":"payload" , "payload" : 5}`),
    ],
    ["the key is there before the message", whole(`"payload":4,"message":{"id":"${ID}","payload":5}`)],
    ["the key is there after the message", whole(`"message":{"id":"${ID}","payload":5},"payload":4`)],
    ["a key before it ends in a backslash", whole(`"\\\\":4,"message":{"\\\\":"\\\\","id":"${ID}","payload":5}`)],
    ["empty keys stand before it", whole(`"":{"":4},"message":{"":4,"id":"${ID}","payload":5}`)],
  ])("is found where %s", (_where, text) => {
    expect(payloadOf(text)).toBe("5");
  });

  test.each([
    ["the last message has none", whole(`"message":{"id":"${ID}","payload":4},"message":{"id":"${ID}"}`), "payload"],
    ["the last message is null", whole(`"message":{"id":"${ID}","payload":4},"message":null`), "Missing 'message'"],
    ["it stands beside the message", whole(`"payload":4,"message":{"id":"${ID}"}`), "payload"],
  ])("is missing where %s", (_where, text, problem) => {
    expect(problemOf(text)).toContain(problem);
  });

  test("that has a key of that name itself comes through whole", () => {
    const payload = `{"payload":{"payload":[4]},"message":{"payload":4}}`;
    expect(payloadOf(publishRaw(payload))).toBe(payload);
  });

  test("of the request's size comes through whole", () => {
    const payload = JSON.stringify('\\"{}'.repeat(100_000));
    expect(payloadOf(publishRaw(payload))).toBe(payload);
  });
});

describe("nesting of 100,000 levels", () => {
  const DEEP = 100_000;
  const arrays = "[".repeat(DEEP) + "]".repeat(DEEP);
  const objects = `{"a":`.repeat(DEEP) + "1" + "}".repeat(DEEP);

  test.each([
    ["arrays", arrays],
    ["objects", objects],
  ])("of %s in a payload is delivered as it was written", (_what, payload) => {
    expect(payloadOf(publishRaw(payload)) === payload).toBe(true);
  });

  test.each([
    ["the frame itself", arrays],
    ["an unknown key", `{"x":${objects},"type":"nonsense"}`],
    ["a topic", `{"type":"subscribe","topic":${arrays},"client_id":"c"}`],
    ["a request_id", pingRaw(arrays)],
    ["a message", `{"type":"publish","topic":"t","message":${objects}}`],
    ["a text that breaks off", "[".repeat(DEEP)],
  ])("in %s is refused, it never throws", (_where, text) => {
    expect(problemOf(text).length).toBeLessThan(200);
  });
});

test("any payload is delivered verbatim, however it and the frame around it are written", () => {
  const seed = seedOfRun();
  const random = new Random(seed);
  const json = new JsonWriter(random);
  const shuffled = (members: readonly string[]) => {
    const left = [...members];
    const order: string[] = [];
    while (left.length > 0) order.push(...left.splice(random.int(left.length), 1));
    return `{${order.map((member) => `${json.space()}${member}${json.space()}`).join(",")}}`;
  };

  const few = (member: string) => (random.chance(0.5) ? [member] : []);
  /** A value that does not matter, often one that looks as if it did. */
  const other = () => (random.chance(0.3) ? `"payload"` : json.value(3));

  for (let round = 0; round < 2000; round++) {
    const payload = json.value(random.int(5));
    const requestId = random.chance(0.5) ? json.string() : String(random.int(1e9));
    const message = shuffled([
      `"payload"${json.space()}:${json.space()}${payload}`,
      `"id":"${ID}"`,
      ...few(`"x":${other()}`),
    ]);
    const text = shuffled([
      `"type":"publish"`,
      `"topic":"t"`,
      `"message"${json.space()}:${json.space()}${message}`,
      `"request_id":${json.space()}${requestId}`,
      ...few(`"payload":${other()}`),
      ...few(`"y":${other()}`),
    ]);
    const expected = {
      ok: true,
      request: { type: "publish", topic: "t", messages: [{ id: ID, payload }], batch: false, ack: true, dedupe: false },
      requestId,
    };
    const decoded = decode(text);
    if (!Bun.deepEquals(decoded, expected)) {
      throw new Error(`SEED=${seed}, round ${round}:\n${text}\nwas read as\n${JSON.stringify(decoded)}`);
    }
  }
});

test("any text whatever is either read or refused, and what is read is JSON", () => {
  const seed = seedOfRun();
  const random = new Random(seed);
  const json = new JsonWriter(random);
  for (let round = 0; round < 2000; round++) {
    const whole = publishRaw(json.value(3));
    const at = random.int(whole.length);
    const text =
      whole.slice(0, at) + random.pick(["", `"`, "\\", "{", "}", ",", "0", "\0"]) + whole.slice(at + random.int(3));
    try {
      const decoded = decode(text);
      if (decoded.ok && decoded.request.type === "publish") {
        for (const { payload } of decoded.request.messages) JSON.parse(payload);
      }
      if (decoded.requestId !== undefined) JSON.parse(decoded.requestId);
    } catch (cause) {
      throw new Error(`SEED=${seed}, round ${round}: ${text}`, { cause });
    }
  }
});
