import { describe, expect, test } from "bun:test";
import { encodeEvent, topicText } from "../../src/protocol/encode.ts";
import { history, post, problemOf } from "../support/answers.ts";
import { Client, ID } from "../support/client.ts";
import { publish } from "../support/publish.ts";
import { startTestServer, stats } from "../support/server.ts";

const MAX = 1000;
const ENV = { TOPICS: "t", MAX_MESSAGE_BYTES: String(MAX) };
const EMPTY = { t: { messages: 0, subscribers: 1 } };

/** A payload, as JSON, whose event is so many bytes long as number `seq` of topic "t". */
function payloadOf(bytes: number, letter = "x", seq = 1): string {
  const event = (payload: string) =>
    Buffer.byteLength(encodeEvent(topicText("t", "e"), seq, { id: ID, payload }, new Date(0).toISOString()));
  const room = bytes - event(`""`);
  const letters = letter.repeat(Math.floor(room / Buffer.byteLength(letter)));
  return JSON.stringify(letters.padEnd(letters.length + room - Buffer.byteLength(letters), "x"));
}

const message = (payload: string) => `{"id":"${ID}","payload":${payload}}`;
const publishFrame = (fields: string) => `{"type":"publish","topic":"t","request_id":7,${fields}}`;

async function connect(server: { wsUrl: string }): Promise<Client> {
  const client = await Client.connect(server);
  await client.subscribe("t", "me");
  return client;
}

describe("a message whose event is larger than MAX_MESSAGE_BYTES", () => {
  test.each(["x", "é", "😀"])("is refused over a WebSocket, which goes on: of the letter %s", async (letter) => {
    await using server = startTestServer(ENV);
    await using client = await connect(server);
    for (const fields of [
      `"message":${message(payloadOf(MAX + 1, letter))}`,
      `"ack":false,"message":${message(payloadOf(MAX + 1, letter))}`,
      `"messages":[${message(payloadOf(MAX + 1, letter))}]`,
    ]) {
      expect(await client.ask(publishFrame(fields))).toEqual({
        type: "error",
        request_id: 7,
        topic: "t",
        error: {
          code: "TOO_LARGE",
          message: `message makes an event of ${MAX + 1} bytes, and MAX_MESSAGE_BYTES is ${MAX}`,
        },
        ts: expect.any(String),
      });
    }
    expect(await client.settle()).toEqual([]);
    expect(await stats(server)).toEqual(EMPTY);

    // One byte less is fine, and so is its event.
    expect(await client.ask(publishFrame(`"message":${message(payloadOf(MAX, letter))}`))).toMatchObject({
      type: "ack",
      seq: 1,
    });
    expect(Buffer.byteLength(await client.nextText())).toBe(MAX);
  });

  test("is named by its place in a batch, of which nothing is published", async () => {
    await using server = startTestServer(ENV);
    await using client = await connect(server);
    const large = payloadOf(MAX + 1);
    for (const [messages, place] of [
      [`{"payload":1},{"payload":${large}}`, 1],
      [`{"payload":${large}},{"payload":1}`, 0],
      [`{"payload":1},{"payload":2},{"payload":${large}},{"payload":3}`, 2],
    ] as const) {
      const problem = await problemOf(await post(server, "t", `{"messages":[${messages}]}`));
      expect(problem).toMatchObject({ status: 413, title: "Content Too Large", code: "TOO_LARGE" });
      expect(problem.detail).toStartWith(`messages[${place}] makes an event of ${MAX + 1} bytes`);
    }
    expect(await stats(server)).toEqual(EMPTY);
    expect(await client.settle()).toEqual([]);
    expect((await publish(server, "t", ["next"])).first_seq).toBe(1);
    expect((await history(server, "t")).messages).toHaveLength(1);
  });

  test("is measured with its own number: the tenth of the same size is the first that is too large", async () => {
    await using server = startTestServer(ENV);
    const body = `{"payload":${payloadOf(MAX)}}`;
    for (let seq = 1; seq <= 9; seq++) expect((await post(server, "t", body)).status).toBe(200);
    expect((await problemOf(await post(server, "t", body))).detail).toContain(`an event of ${MAX + 1} bytes`);
    const batch = `{"messages":[{"payload":${payloadOf(MAX)}}]}`;
    expect((await post(server, "t", batch)).status).toBe(413);
    expect(await stats(server)).toEqual({ t: { messages: 9, subscribers: 0 } });
  });
});
