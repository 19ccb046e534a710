import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { TRANSPORTS } from "../../src/protocol/frames.ts";
import { history, post, problemOf, publishBody, topicDetail } from "../support/answers.ts";
import { binary, startBinary, type Started } from "../support/binary.ts";
import { Client, ID } from "../support/client.ts";
import { createTopic, deleteTopic } from "../support/server.ts";
import { Subscriber } from "../support/subscriber.ts";

const PLANES = 17;
const PLANE = 0x10000;
const PIECE = 0x2000;

/** Every scalar value of one plane, in texts that each fit into a message. */
function piecesOf(plane: number): string[] {
  return Array.from({ length: PLANE / PIECE }, (_, piece) => {
    const first = plane * PLANE + piece * PIECE;
    const points = Array.from({ length: PIECE }, (_, i) => first + i).filter(
      (point) => point < 0xd800 || point > 0xdfff,
    );
    return points.map((point) => String.fromCodePoint(point)).join("");
  }).filter((text) => text !== "");
}

/** Names of every kind that there is; none is any other's, however alike they look. */
const NAMES = [
  ["letters with marks that are one character", "caf\u00e9"],
  ["the same with marks of their own", "cafe\u0301"],
  ["capitals without small letters of the same length", "Straße ẞ İ ı ŉ"],
  ["right to left", "שלום العربية"],
  ["overrides of direction", "\u202eevil\u202c \u2066x\u2069"],
  ["joined emoji", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪"],
  ["marks upon marks", `Z${"\u0335\u0322\u034f\u0489".repeat(20)}`],
  ["nothing to be seen", "\u200b\u200c\u200d\u2060\u00ad"],
  ["white space of every kind", "\u00a0\u1680\u2000\u2003\u2028\u2029\u202f\u205f\u3000"],
  ["a byte order mark, alone", "\ufeff"],
  ["a byte order mark in front", "\ufeffname"],
  ["characters that are none", "\ufdd0 \ufffe \uffff \u{1fffe} \u{10ffff}"],
  ["the sign that replaces others", "\ufffd"],
  ["private use", "\ue000 \u{f0000} \u{10fffd}"],
  ["code points that nobody has assigned", "\u0378 \u{e0080}"],
  ["tags and selectors", "\u{e0001}\u{e0041} a\ufe0f\u{e0100}"],
  ["letters of other planes", "𝒳 𐍈 𓀀 𠀀"],
  ["what other languages have meaning for", `'; DROP -- \${x} {{x}} <b>&amp; %00 %s \\u0000 ../`],
  ["as many bytes as there may be", "😀".repeat(63) + "abc"],
] as const;

const NOT_NAMES = [
  ["nothing", ""],
  ["a NUL", "a\0b"],
  ["a line break", "a\nb"],
  ["an escape", "\u001b[31m"],
  ["DEL", "\u007f"],
  ["a control character past ASCII", "\u0085"],
  ["a lone surrogate", "\ud800"],
  ["surrogates the wrong way round", "\ude00\ud83d"],
  ["a byte too many", "😀".repeat(64)],
] as const;

let server: Started;
let good: Client;
let published = 0;

beforeAll(async () => {
  void binary();
  server = await startBinary({ TOPICS: "t,good", MAX_HISTORY: "1000" });
  good = await Client.connect(server);
  await good.subscribe("good", "good");
});

/** Who has nothing to do with it notices nothing. */
afterAll(async () => {
  await publishBody(server, "good", { payload: "still here" });
  expect(await good.next()).toMatchObject({ type: "event", seq: 1, message: { payload: "still here" } });
  await good.close();
  await server[Symbol.asyncDispose]();
});

test("every character of Unicode comes as it was sent, to WebSockets, event streams and history", async () => {
  const subscribers = await Promise.all(
    TRANSPORTS.map((transport) => Subscriber.open(server, transport, { topic: "t", clientId: transport })),
  );
  for (const subscriber of subscribers) expect((await subscriber.next()).kind).toBe("subscribed");
  await using publisher = await Client.connect(server);
  for (let plane = 0; plane < PLANES; plane++) {
    const pieces = piecesOf(plane);
    for (const [i, text] of pieces.entries()) {
      // As themselves, and as a key, over one way in; escaped to ASCII over the other.
      if (i % 2 === 0) await publisher.publish("t", { [text]: text });
      else await publishBody(server, "t", `{"payload":{${escaped(text)}:${escaped(text)}}}`);
      published++;
    }
    for (const subscriber of subscribers) {
      const events = await subscriber.take(pieces.length);
      expect(events.every((one, i) => one.kind === "event" && isThat(one.payload, pieces[i]))).toBe(true);
    }
    const { messages } = await history(server, "t", `?last_n=${pieces.length}`);
    expect(messages.every(({ payload }, i) => isThat(payload, pieces[i]))).toBe(true);
  }
  for (const subscriber of subscribers) subscriber.cut();
  expect((await topicDetail(server, "t")).seq).toBe(published);
});

/** A JSON string of nothing but ASCII. */
function escaped(text: string): string {
  const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i).toString(16).padStart(4, "0"));
  return `"${units.map((unit) => `\\u${unit}`).join("")}"`;
}

function isThat(payload: unknown, text: string | undefined): boolean {
  const [entry, ...others] = Object.entries(z.record(z.string(), z.string()).parse(payload));
  return others.length === 0 && entry?.[0] === text && entry?.[1] === text;
}

describe("a name of", () => {
  test.each(NAMES)("%s names one topic and one client, to all who ask", async (_what, name) => {
    await createTopic(server, name);
    await using client = await Client.connect(server);
    expect(await client.subscribe(name, name)).toMatchObject({ type: "ack", topic: name, seq: 0 });
    const stream = await Subscriber.open(server, "sse", { topic: name, clientId: "stream" });
    await client.publish(name, name);
    expect(await client.next()).toMatchObject({ type: "event", topic: name, message: { payload: name } });
    expect(await stream.take(2)).toMatchObject([{ kind: "subscribed" }, { kind: "event", seq: 1, payload: name }]);
    const { topic, subscribers } = await topicDetail(server, name);
    expect(topic).toBe(name);
    expect(new Set(subscribers.map(({ client_id }) => client_id))).toEqual(new Set([name, "stream"]));
    stream.cut();
    await client.close();
  });

  test("each kind is another topic's, and goes with it alone", async () => {
    const { topics } = z
      .object({ topics: z.array(z.object({ name: z.string() })) })
      .parse(await (await fetch(`${server.url}/topics`)).json());
    const names = NAMES.map(([, name]) => name);
    expect(topics.map(({ name }) => name)).toEqual(["t", "good", ...names]);
    await deleteTopic(server, "caf\u00e9");
    expect((await topicDetail(server, "cafe\u0301")).seq).toBe(1);
  });

  test.each(NOT_NAMES)("%s is refused over both, and the connection lives", async (_what, name) => {
    await using client = await Client.connect(server);
    for (const frame of [
      { type: "subscribe", topic: name, client_id: "c" },
      { type: "subscribe", topic: "t", client_id: name },
      { type: "publish", topic: name, message: { id: ID, payload: 1 } },
    ]) {
      expect(await client.ask(frame)).toMatchObject({ type: "error", error: { code: "BAD_REQUEST" } });
    }
    expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
    const creation = await fetch(`${server.url}/topics`, { method: "POST", body: JSON.stringify({ name }) });
    expect(await problemOf(creation)).toMatchObject({ status: 400, code: "BAD_REQUEST" });
    if (name !== "" && name.isWellFormed()) expect((await post(server, name, { payload: 1 })).status).toBe(404);
  });
});
