import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { decode } from "../../src/protocol/decode.ts";
import { readMessages } from "../../src/protocol/http.ts";
import { ID } from "../support/client.ts";
import { JsonWriter, type Member } from "../support/json-writer.ts";
import { HOSTILE_PAYLOADS } from "../support/payloads.ts";
import { Random, seedOfRun } from "../support/random.ts";

const OTHER_ID = "00000000-0000-0000-0000-00000000000A";
const MADE_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff";
const good = { id: ID, payload: 1 };

function accepted(text: string) {
  const decoded = decode(text);
  if (!decoded.ok) throw new Error(`Refused: ${decoded.problem}`);
  if (decoded.request.type !== "publish") throw new Error(`Not a publish: ${decoded.request.type}`);
  return decoded.request;
}

function refused(text: string) {
  const decoded = decode(text);
  if (decoded.ok) throw new Error(`Accepted: ${JSON.stringify(decoded)}`);
  return decoded;
}

const problemOf = (text: string) => refused(text).problem;

/** A publish of `fields` beside its type and topic. */
const publish = (fields: object) => JSON.stringify({ type: "publish", topic: "t", ...fields });
const batch = (messages: unknown) => publish({ messages });

/** A batch around the text of `messages`. */
const batchRaw = (messages: string) => `{"type":"publish","topic":"t","messages":${messages},"request_id":7}`;
const element = (payload: string) => `{"id":"${ID}","payload":${payload}}`;

const payloadsOf = (text: string) => accepted(text).messages.map(({ payload }) => payload);

/** The messages of an HTTP body; each id that was left out is `MADE_ID`. */
const messagesOfBody = (text: string) => publicationOfBody(text).messages;

function publicationOfBody(text: string) {
  const read = readMessages(text, () => MADE_ID);
  if (!read.ok) throw new Error(`Refused: ${read.problem}`);
  return read.content;
}

describe("a batch", () => {
  test("of one message is a batch still", () => {
    expect(accepted(batch([good]))).toEqual({
      type: "publish",
      topic: "t",
      messages: [{ id: ID, payload: "1" }],
      batch: true,
      ack: true,
      dedupe: false,
    });
  });

  test("keeps its messages in their order, those of the same id too", () => {
    const messages = [good, { id: OTHER_ID, payload: 2 }, { ...good, payload: 3 }, { payload: null, id: OTHER_ID }];
    expect(accepted(batch(messages)).messages).toEqual([
      { id: ID, payload: "1" },
      { id: OTHER_ID, payload: "2" },
      { id: ID, payload: "3" },
      { id: OTHER_ID, payload: "null" },
    ]);
  });

  test("of 10,000 messages is read whole, and its last is found if it is the one that is wrong", () => {
    const messages = Array.from({ length: 10_000 }, (_, payload) => ({ id: ID, payload }));
    expect(payloadsOf(batch(messages))).toEqual(messages.map(({ payload }) => String(payload)));
    expect(problemOf(batch([...messages, {}]))).toBe("messages[10000].id must be a valid UUID");
  });

  test.each([
    ["an empty list", [], "'messages' must not be empty"],
    ["an object", { 0: good, length: 1 }, "'messages' must be an array"],
    ["a message alone", good, "'messages' must be an array"],
    ["text", "messages", "'messages' must be an array"],
    ["a number", 0, "'messages' must be an array"],
    ["false", false, "'messages' must be an array"],
    ["null as its element", [null], "'messages[0]' must be an object"],
    ["null after a good one", [good, null], "'messages[1]' must be an object"],
    ["a number as its element", [good, 1], "'messages[1]' must be an object"],
    ["text as its element", [good, JSON.stringify(good)], "'messages[1]' must be an object"],
    ["an array as its element", [good, [good]], "'messages[1]' must be an object"],
    ["true as its element", [good, true], "'messages[1]' must be an object"],
    ["no id", [good, { payload: 1 }], "messages[1].id must be a valid UUID"],
    ["id null", [good, { id: null, payload: 1 }], "messages[1].id must be a valid UUID"],
    ["a number for id", [good, { id: 5, payload: 1 }], "messages[1].id must be a valid UUID"],
    ["a bad id", [good, { id: "x", payload: 1 }], "messages[1].id must be a valid UUID"],
    ["a bad id at the front", [{ id: "x", payload: 1 }, good], "messages[0].id must be a valid UUID"],
    ["no payload", [good, { id: ID }], "Missing 'messages[1].payload'"],
    ["a payload in another case", [good, { id: ID, Payload: 1 }], "Missing 'messages[1].payload'"],
    ["neither id nor payload", [good, {}], "messages[1].id must be a valid UUID"],
    ["several that are wrong", [good, { id: ID }, good, { id: "x" }, null], "Missing 'messages[1].payload'"],
  ])("with %s is refused in the protocol's words", (_what, messages, problem) => {
    expect(problemOf(batch(messages))).toBe(problem);
  });

  test("that lacks a payload is refused, though the word is there", () => {
    const lacking = `{"id":"${ID}","x":"payload","\\"payload\\"":1,"y":{"payload":1}}`;
    expect(problemOf(batchRaw(`[${element("1")},${lacking}]`))).toBe("Missing 'messages[1].payload'");
    expect(problemOf(batchRaw(`[{"id":"${ID}","__proto__":{"payload":1}}]`))).toBe("Missing 'messages[0].payload'");
    expect(problemOf(batchRaw(`[{"payload":1,"__proto__":{"id":"${ID}"}}]`))).toBe(
      "messages[0].id must be a valid UUID",
    );
  });

  test("goes by the last `messages` of several, as JSON.parse does", () => {
    const twice = (first: string, second: string) =>
      `{"type":"publish","topic":"t","messages":${first},"messages":${second}}`;
    expect(payloadsOf(twice("[]", `[${element("2")}]`))).toEqual(["2"]);
    expect(payloadsOf(twice("null", `[${element("2")}]`))).toEqual(["2"]);
    expect(problemOf(twice(`[${element("1")}]`, "[]"))).toBe("'messages' must not be empty");
    expect(problemOf(twice(`[${element("1")}]`, "null"))).toBe("Missing 'message' for publish");
  });

  test.each([
    ["no topic", { topic: undefined }, "Missing 'topic'"],
    ["topic null", { topic: null }, "Missing 'topic'"],
    ["a number for topic", { topic: 1 }, "'topic' must be a string"],
    ["an empty topic", { topic: "" }, "'topic' must be 1 to 255 UTF-8 bytes without control characters"],
  ])("with %s is refused as a single message is", (_what, fields, problem) => {
    expect(problemOf(publish({ messages: [good], ...fields }))).toBe(problem);
    expect(problemOf(publish({ message: good, ...fields }))).toBe(problem);
  });

  test("that is refused names its topic and request_id", () => {
    const text = `{"request_id":1.10,"type":"publish","topic":"t","messages":[{}]}`;
    expect(refused(text)).toMatchObject({ topic: "t", requestId: "1.10" });
  });

  test("that is large and all wrong is refused about as fast as a good one of its size is read", () => {
    const wrong = `[${"0,".repeat(50_000)}0]`;
    const right = `[${Array(Math.floor(wrong.length / element("1").length))
      .fill(element("1"))
      .join(",")}]`;
    const time = (act: () => unknown) => {
      const start = performance.now();
      act();
      return performance.now() - start;
    };
    // The least of several each, taken in turns: what else the machine does can only add to a time.
    const ratio = (bad: () => unknown, well: () => unknown) => {
      const times = Array.from({ length: 9 }, () => [time(bad), time(well)] as const);
      return Math.min(...times.map(([one]) => one)) / Math.min(...times.map(([, one]) => one));
    };
    const read = (list: string) => readMessages(`{"messages":${list}}`, () => MADE_ID);
    const frame = ratio(
      () => problemOf(batchRaw(wrong)),
      () => accepted(batchRaw(right)),
    );
    const body = ratio(
      () => read(wrong),
      () => read(right),
    );
    expect(Math.max(frame, body)).toBeLessThan(6);
  });
});

describe("message and messages", () => {
  test.each([
    ["good ones", { message: good, messages: [good] }],
    ["an empty list", { message: good, messages: [] }],
    ["a message that is none", { message: 0, messages: [good] }],
    ["a list that is none", { message: good, messages: false }],
    ["nothing good", { message: "", messages: "" }],
  ])("exclude each other: %s", (_what, fields) => {
    expect(problemOf(publish(fields))).toBe("'message' and 'messages' exclude each other");
  });

  test("that are null count as absent", () => {
    expect(accepted(publish({ message: null, messages: [good] }))).toMatchObject({ batch: true });
    expect(accepted(publish({ message: good, messages: null }))).toMatchObject({ batch: false });
    for (const fields of [{ message: null, messages: null }, { messages: null }, {}]) {
      expect(problemOf(publish(fields))).toBe("Missing 'message' for publish");
    }
  });

  test("of a single message that lacks a payload name it as such", () => {
    expect(problemOf(publish({ message: { id: ID } }))).toBe("Missing 'message.payload'");
  });
});

describe("ack", () => {
  const both = [{ message: good }, { messages: [good] }];

  test.each([
    [undefined, true],
    [null, true],
    [true, true],
    [false, false],
  ])("%p means %p", (ack, wanted) => {
    for (const fields of both) expect(accepted(publish({ ...fields, ack })).ack).toBe(wanted);
  });

  test.each([[0], [1], ["false"], [""], [[]], [{}]])("%j is refused", (ack) => {
    for (const fields of both) expect(problemOf(publish({ ...fields, ack }))).toBe("'ack' must be true or false");
  });

  test("goes by the last of several", () => {
    const text = (acks: string) => `{"type":"publish",${acks},"topic":"t","messages":[${element("1")}]}`;
    expect(accepted(text(`"ack":true,"ack":false`)).ack).toBe(false);
    expect(accepted(text(`"ack":false,"ack":null`)).ack).toBe(true);
    expect(accepted(text(`"ack":1,"\\u0061ck":false`)).ack).toBe(false);
  });
});

describe("the payloads of a batch", () => {
  test("are each as it was written, whatever stands beside it", () => {
    expect(payloadsOf(batchRaw(`[${HOSTILE_PAYLOADS.map(element).join(",")}]`))).toEqual(HOSTILE_PAYLOADS);
    const backwards = HOSTILE_PAYLOADS.toReversed();
    const spaced = backwards.map((payload) => `\r\n{ "payload" :\t${payload}\n, "id" : "${ID}" } `);
    expect(payloadsOf(batchRaw(` [${spaced.join(",")}]\t`))).toEqual(backwards);
    expect(messagesOfBody(`{"messages":[${spaced.join(",")}]}`).map(({ payload }) => payload)).toEqual(backwards);
  });

  test.each(HOSTILE_PAYLOADS)("%j is as it was written, alone in a body", (payload) => {
    const sole = [{ id: MADE_ID, payload }];
    expect(messagesOfBody(`{"payload":${payload}}`)).toEqual(sole);
    expect(messagesOfBody(` {"x":{"payload":4}, "payload" :\r\n${payload}\t, "id":null } `)).toEqual(sole);
  });

  const whole = (members: string) => `{"type":"publish","topic":"t",${members}}`;
  const around = `"x":{"payload":4,"messages":[{"payload":4}]}`;
  test.each([
    ["its key is written with escapes", `"messages":[${element("4")},{"id":"${ID}","\\u0070ayload":5}]`],
    ["the key messages is written with escapes", `"m\\u0065ss\\u0061ges":[${element("4")},${element("5")}]`],
    ["the key payload is repeated", `"messages":[${element("4")},{"payload":[3],"id":"${ID}","payload":5}]`],
    [
      "a repeated key is written in two ways",
      `"messages":[${element("4")},{"payload":3,"id":"${ID}","payloa\\u0064":5}]`,
    ],
    [
      "the key messages is repeated",
      `"messages":[${element("1")},${element("2")}],"messages":[${element("4")},${element("5")}]`,
    ],
    [
      "the key messages is repeated in two ways",
      `"messages":[${element("1")}],"\\u006dessages":[${element("4")},${element("5")}]`,
    ],
    [
      "earlier messages are no array",
      `"messages":{"payload":[${element("1")}]},"messages":[${element("4")},${element("5")}]`,
    ],
    ["the id is repeated", `"messages":[${element("4")},{"id":"x","payload":5,"id":"${ID}"}]`],
    ["a message stands beside them as null", `"message":null,"messages":[${element("4")},${element("5")}]`],
    [
      "a null message comes after",
      `"messages":[${element("4")},${element("5")}],"message":{"payload":1},"message":null`,
    ],
    ["the words are values elsewhere", `"y":"messages","z":["payload"],"messages":[${element("4")},${element("5")}]`],
    ["the keys are there outside", `${around},"payload":9,"messages":[${element("4")},${element("5")}],${around}`],
    [
      "the keys are there inside the messages",
      `"messages":[{${around},"id":"${ID}","payload":4},{"id":"${ID}","payload":5,${around}}]`,
    ],
    [
      "messages are members of messages",
      `"messages":[${element("4")},{"messages":[{"payload":3}],"message":{"payload":3},"id":"${ID}","payload":5}]`,
    ],
    ["keys end in backslashes", `"\\\\":4,"messages":[${element("4")},{"\\\\":"\\\\","id":"${ID}","payload":5}]`],
    ["empty keys stand before", `"":[],"messages":[${element("4")},{"":4,"id":"${ID}","payload":5}]`],
  ])("are found where %s", (_where, members) => {
    expect(payloadsOf(whole(members))).toEqual(["4", "5"]);
  });

  test("may be nested 100,000 levels deep, one beside the other", () => {
    const DEEP = 100_000;
    const arrays = "[".repeat(DEEP) + "]".repeat(DEEP);
    const objects = `{"payload":`.repeat(DEEP) + "1" + "}".repeat(DEEP);
    const payloads = payloadsOf(batchRaw(`[${element(arrays)},${element(objects)},${element("3")}]`));
    expect(payloads.map((text) => text.length)).toEqual([arrays.length, objects.length, 1]);
    expect(payloads[0] === arrays && payloads[1] === objects).toBe(true);
  });

  test("are verbatim and in order, however they and what is around them are written", () => {
    const seed = seedOfRun();
    const random = new Random(seed);
    const json = new JsonWriter(random);
    const few = <T>(make: () => T, least = 0) => Array.from({ length: least + random.int(3) }, make);
    const idText = () => JSON.stringify(random.chance(0.5) ? ID : OTHER_ID);

    for (let round = 0; round < 800; round++) {
      const http = random.chance(0.5);
      const makeElement = () => {
        const ids = few(() => (http && random.chance(0.3) ? "null" : idText()), http ? 0 : 1);
        const { text, last } = json.object([
          ...ids.map((id): Member => ["id", id]),
          ...few((): Member => ["payload", json.value(random.int(4))], 1),
          ...few((): Member => [random.pick(["x", "messages", "message"]), json.value(2)]),
        ]);
        const id: unknown = JSON.parse(last.get("id") ?? "null");
        return { text, message: { id: id ?? MADE_ID, payload: last.get("payload") } };
      };
      const batches = few(() => few(makeElement, 1), 1);
      const lists = batches.map((elements) => json.array(elements.map(({ text }) => text)));
      const ack = random.pick(["true", "false", "null"]);
      const outside: Member[] = http
        ? [["id", json.value(1)]]
        : [
            ["payload", json.value(2)],
            ["ack", ack],
          ];
      const dedupe = random.pick(["true", "false", "null"]);
      const { text, last } = json.object([
        ["type", `"publish"`],
        ["topic", `"t"`],
        ...lists.map((list): Member => ["messages", list]),
        ...outside,
        ["dedupe", dedupe],
        ["y", json.value(3)],
      ]);
      const messages = batches[lists.indexOf(last.get("messages") ?? "")]?.map(({ message }) => message);
      const publication = { messages, dedupe: dedupe === "true" };
      const frame = { type: "publish", topic: "t", batch: true, ack: ack !== "false" };
      const expected = http ? publication : { ...frame, ...publication };
      const found = http ? publicationOfBody(text) : accepted(text);
      if (!Bun.deepEquals(found, expected)) {
        throw new Error(`SEED=${seed}, round ${round}:\n${text}\nwas read as\n${JSON.stringify(found)}`);
      }
      const parsed = z.object({ messages: z.array(z.object({ payload: z.unknown() })) }).parse(JSON.parse(text));
      const cut = messages?.map(({ payload = "" }): unknown => JSON.parse(payload));
      expect(cut, `SEED=${seed}, round ${round}`).toEqual(parsed.messages.map(({ payload }) => payload));
    }
  });
});
