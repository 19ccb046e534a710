import { describe, expect, test } from "bun:test";
import {
  encodeAnswer,
  encodeEvent,
  encodeHistory,
  encodeNotice,
  encodePublished,
  slowConsumer,
  topicText,
} from "../../src/protocol/encode.ts";
import type { Answer, Notice } from "../../src/protocol/frames.ts";
import { ID } from "../support/client.ts";
import { JsonWriter } from "../support/json-writer.ts";
import { Random, seedOfRun } from "../support/random.ts";

const TS = "2025-08-25T10:00:00.000Z";
const NAMES = ["orders", `a"b\\c`, "naïve 😀", "__proto__", "\u2028"];

describe("an answer", () => {
  const answers: [string, Answer, object][] = [
    ["ack", { type: "ack", topic: "t", status: "ok" }, { type: "ack", topic: "t", status: "ok", ts: TS }],
    [
      "ack with a position",
      { type: "ack", topic: "t", status: "ok", epoch: "e", seq: 7 },
      { type: "ack", topic: "t", status: "ok", epoch: "e", seq: 7, ts: TS },
    ],
    [
      "error",
      { type: "error", topic: "t", error: { code: "TOPIC_NOT_FOUND", message: `Topic 't' not "found"` } },
      { type: "error", topic: "t", error: { code: "TOPIC_NOT_FOUND", message: `Topic 't' not "found"` }, ts: TS },
    ],
    [
      "error of no topic",
      { type: "error", topic: undefined, error: { code: "BAD_REQUEST", message: "Missing 'type'" } },
      { type: "error", error: { code: "BAD_REQUEST", message: "Missing 'type'" }, ts: TS },
    ],
    ["pong", { type: "pong" }, { type: "pong", ts: TS }],
  ];

  test.each(answers)("%s without a request_id has the protocol's fields, and no such key", (_name, answer, frame) => {
    const text = encodeAnswer(answer, undefined, TS);
    expect(JSON.parse(text)).toEqual(frame);
    expect(text).not.toContain("request_id");
  });

  test.each(answers)("%s echoes a request_id as the text that it came as", (_name, answer, frame) => {
    for (const id of [`"r1"`, `"a\\u0062\\"}"`, "7", "1.10", "12345678901234567890", `""`, "0"]) {
      const text = encodeAnswer(answer, id, TS);
      expect(text).toContain(`"request_id":${id},`);
      expect(JSON.parse(text)).toEqual({ ...frame, request_id: JSON.parse(id) });
    }
  });
});

describe("the ack of a publish", () => {
  const published = (name: string, epoch: string, seq: number, first = seq) => {
    return { text: topicText(name, epoch), first, seq, ts: TS, count: seq - first + 1, duplicate: false };
  };

  test("of a batch says which numbers its messages have, and how many they are", () => {
    const text = encodePublished(published("t", "e", 9, 6), true, undefined);
    expect(JSON.parse(text)).toMatchObject({ type: "ack", first_seq: 6, seq: 9, count: 4 });
  });

  test("of duplicates says so, and how many they are", () => {
    const duplicate = { ...published("t", "e", 9, 6), count: 2, duplicate: true };
    const [sole, batch] = [false, true].map((isBatch) => JSON.parse(encodePublished(duplicate, isBatch, undefined)));
    expect(sole).toEqual({ type: "ack", topic: "t", status: "ok", epoch: "e", duplicate: true, seq: 9, ts: TS });
    expect(batch).toEqual({ ...sole, first_seq: 6, count: 2 });
  });

  test.each(NAMES)("to %j has the protocol's fields", (topic) => {
    const text = encodePublished(published(topic, "5f", 3), false, undefined);
    expect(JSON.parse(text)).toEqual({ type: "ack", topic, status: "ok", epoch: "5f", seq: 3, ts: TS });
    expect(text).not.toContain("request_id");
  });

  test("echoes a request_id as the text that it came as", () => {
    const text = encodePublished(published("t", "5f", 3), false, "1.10");
    expect(text).toContain(`"request_id":1.10,`);
    expect(JSON.parse(text)).toMatchObject({ type: "ack", request_id: 1.1, seq: 3 });
  });

  test("is what encodeAnswer makes of the same ack", () => {
    for (const id of [undefined, `"r"`, "1.10"]) {
      const answer: Answer = { type: "ack", topic: "t", status: "ok", epoch: "e", seq: 9 };
      expect(encodePublished(published("t", "e", 9), false, id)).toBe(encodeAnswer(answer, id, TS));
    }
  });
});

describe("an event", () => {
  test.each(NAMES)("of %j has the protocol's fields", (topic) => {
    const text = encodeEvent(topicText(topic, "e"), 4, { id: ID, payload: `{"a":[1]}` }, TS);
    const message = { id: ID, payload: { a: [1] } };
    expect(JSON.parse(text)).toEqual({ type: "event", topic, seq: 4, ts: TS, message });
  });

  test.each(["null", "1.10", "12345678901234567890", "1e400", `{ "b":1, "a":2, "b":3 }`, `"\\u0041"`])(
    "carries the payload %s verbatim",
    (payload) => {
      expect(encodeEvent(topicText("t", "e"), 1, { id: ID, payload }, TS)).toContain(`"payload":${payload}}`);
    },
  );
});

describe("a notice", () => {
  const notices: Notice[] = [
    { type: "info", msg: "ping" },
    { type: "info", msg: "server_shutdown", retry_after_ms: 1500 },
    { type: "info", msg: "topic_deleted", topic: `a"b` },
    { type: "info", msg: "subscription_replaced", topic: "t" },
  ];

  test.each(notices)("$msg has the protocol's fields", (notice) => {
    expect(JSON.parse(encodeNotice(notice, TS))).toEqual({ ...notice, ts: TS });
  });

  test.each([
    [3, 7, 5, "5 events were"],
    [4, 4, 1, "1 event was"],
  ])("of a gap from %d to %d says it exactly", (first, last, dropped, words) => {
    const message = expect.stringContaining(words);
    expect(JSON.parse(encodeNotice(slowConsumer("t", first, last), TS))).toEqual({
      type: "error",
      topic: "t",
      error: { code: "SLOW_CONSUMER", message, dropped, first_seq: first, last_seq: last },
      ts: TS,
    });
  });
});

describe("history", () => {
  const HOSTILE_NAMES = [
    ...NAMES,
    `"message":{`,
    `,"message":{"id":"x","payload":0}}`,
    `t","seq":9,"ts":"x","message":{"id":"x","payload":0}}`,
    `\\","message":{`,
    `\\\\"`,
    `{"type":"event","topic":"t",`,
    "message",
    "]}",
    "\ud83d",
  ];
  const HOSTILE_PAYLOADS = [
    "null",
    "1.10",
    "12345678901234567890",
    `""`,
    `"\\"message\\":{"`,
    `{"message":{"id":"x","payload":1}}`,
    `{ "message" : { }, "message":{"payload":[ ]} }`,
    `[{"seq":9},"}}",{"ts":"]}"}]`,
    `"}"`,
    "{}",
    `"\u2028😀\\ud800"`,
    `{\r\n "b":1,\t"a":2, "b":3 }`,
  ];

  /** What `encodeHistory` makes of messages that were published from `first` on. */
  function historyOf(name: string, payloads: readonly string[], first = 1, more = false): string {
    const text = topicText(name, "5f");
    const events = payloads.map((payload, index) => encodeEvent(text, first + index, { id: ID, payload }, TS));
    return encodeHistory({ text, oldest: 3, newest: 99, events, more });
  }

  const valueOf = (text: string): unknown => JSON.parse(text);
  const entryOf = (seq: number, payload: string) => `{"seq":${seq},"ts":"${TS}","id":"${ID}","payload":${payload}}`;

  test("of nothing has the protocol's fields", () => {
    expect(historyOf("t", [])).toBe(`{"topic":"t","epoch":"5f","oldest_seq":3,"seq":99,"messages":[]}`);
  });

  test("says that there is more only where there is", () => {
    expect(historyOf("t", ["1"], 7, true)).toBe(
      `{"topic":"t","epoch":"5f","oldest_seq":3,"seq":99,"more":true,"messages":[${entryOf(7, "1")}]}`,
    );
    expect(historyOf("t", ["1"])).not.toContain("more");
  });

  test.each(HOSTILE_NAMES)("of the topic %j has each message as it was published", (name) => {
    const entries = HOSTILE_PAYLOADS.map((payload, index) => entryOf(98 + index, payload));
    expect(historyOf(name, HOSTILE_PAYLOADS, 98)).toBe(
      `{"topic":${JSON.stringify(name)},"epoch":"5f","oldest_seq":3,"seq":99,"messages":[${entries.join(",")}]}`,
    );
  });

  test("has every payload verbatim, whatever the topic", () => {
    const seed = seedOfRun();
    const random = new Random(seed);
    const json = new JsonWriter(random);
    for (let round = 0; round < 500; round++) {
      const name = random.pick(HOSTILE_NAMES) + String(JSON.parse(json.string()));
      const payloads = Array.from({ length: random.int(4) }, () =>
        random.chance(0.2) ? random.pick(HOSTILE_PAYLOADS) : json.value(4),
      );
      const first = 1 + random.int(1e9);
      const text = historyOf(name, payloads, first);
      const entries = payloads.map((payload, index) => entryOf(first + index, payload));
      const where = `SEED=${seed}, round ${round}: ${text}`;
      expect(text, where).toEndWith(`"messages":[${entries.join(",")}]}`);
      const messages = payloads.map((payload, index) => {
        return { seq: first + index, ts: TS, id: ID, payload: valueOf(payload) };
      });
      expect(JSON.parse(text), where).toEqual({ topic: name, epoch: "5f", oldest_seq: 3, seq: 99, messages });
    }
  });
});
