import { afterAll, beforeAll, expect, test } from "bun:test";
import { Client, ID } from "../support/client.ts";
import type { Frame } from "../support/frames.ts";
import { RawClient } from "../support/raw-client.ts";
import { encodeClientFrame } from "../support/websocket-frames.ts";
import { createTopic, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let bystander: Client;

beforeAll(async () => {
  server = startTestServer({ MAX_MESSAGE_BYTES: "2000000" });
  await createTopic(server, "t");
  bystander = await Client.connect(server);
  await bystander.subscribe("t", "bystander");
});

/** Nobody else may have noticed anything, and nothing may have been logged as our fault. */
afterAll(async () => {
  await using publisher = await Client.connect(server);
  await publisher.publish("t", "still here");
  const events = await bystander.settle();
  expect(events.every(({ type }) => type === "event")).toBe(true);
  expect(events.at(-1)?.message?.payload).toBe("still here");
  expect(server.lines).toEqual([]);
  await bystander.close();
  await server.stop();
});

const publish = (payload: string) => `{"type":"publish","topic":"t","message":{"id":"${ID}","payload":${payload}}}`;
const deep = (open: string, close: string, inner = "") => open.repeat(100_000) + inner + close.repeat(100_000);

for (const [what, frame, problem] of [
  ["nothing at all", " ", "Not valid JSON"],
  ["not JSON", "hello", "Not valid JSON"],
  ["half a frame", '{"type":"ping"', "Not valid JSON"],
  ["two frames in one", '{"type":"ping"}{"type":"ping"}', "Not valid JSON"],
  ["a byte order mark", '\ufeff{"type":"ping"', "Not valid JSON"],
  ["a number", "1e400", "A frame must be a JSON object, not a number"],
  ["null", "null", "A frame must be a JSON object, not null"],
  ["an array", "[]", "A frame must be a JSON object, not an array"],
  ["deep nesting", deep("[", "]"), "A frame must be a JSON object, not an array"],
  ["unclosed deep nesting", "[".repeat(500_000), "Not valid JSON"],
  ["deeply nested type", `{"type":${deep("[", "]")}}`, "'type' must be a string, not an array"],
  ["no type", "{}", "Missing 'type'"],
  ["__proto__ as its type's owner", '{"__proto__":{"type":"ping"}}', "Missing 'type'"],
  ["a type that every object has", '{"type":"constructor"}', "Unknown message type 'constructor'"],
  ["__proto__ as type", '{"type":"__proto__"}', "Unknown message type '__proto__'"],
  ["a huge type", `{"type":"${"x".repeat(1_000_000)}"}`, `Unknown message type '${"x".repeat(64)}…'`],
  [
    "a lone surrogate as topic",
    String.raw`{"type":"subscribe","topic":"\ud800","client_id":"c"}`,
    "'topic' must be 1 to 255",
  ],
  [
    "a lone surrogate as id",
    String.raw`{"type":"subscribe","topic":"t","client_id":"\udfff"}`,
    "'client_id' must be 1 to 255",
  ],
  ["a huge last_n", '{"type":"subscribe","topic":"t","client_id":"c","last_n":1e400}', "'last_n' must be an integer"],
  [
    "a payload that __proto__ holds",
    `{"type":"publish","topic":"t","message":{"id":"${ID}","__proto__":{"payload":1}}}`,
    "Missing 'message.payload'",
  ],
  ["a request_id that is an object", '{"type":"ping","request_id":{}}', "'request_id' must be a string or a number"],
] as const) {
  test(`${what} is a clear error, and the connection lives`, async () => {
    await using client = await Client.connect(server);
    const answer = await client.ask(frame);
    expect(answer).toMatchObject({ type: "error", error: { code: "BAD_REQUEST" } });
    expect(answer.error?.message).toStartWith(problem);
    expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  });
}

for (const [what, payload] of [
  ["huge numbers", "[12345678901234567890,1.10,1e400,-0.0]"],
  ["deep nesting", deep("[", "]", "1")],
  ["deep objects", deep('{"a":', "}", "1")],
  ["lone surrogates", String.raw`"\ud800 \udfff"`],
  ["__proto__ keys", '{"__proto__":{"polluted":true},"constructor":1}'],
  ["duplicate keys and white space", '{ "a" : 1,\t"a":2 , "b":{} }'],
] as const) {
  test(`${what} in a payload are delivered as they came`, async () => {
    await using subscriber = await Client.connect(server);
    await subscriber.subscribe("t", "reader");
    await using publisher = await Client.connect(server);
    expect(await publisher.ask(publish(payload))).toMatchObject({ type: "ack" });
    expect(await subscriber.nextText()).toEndWith(`"payload":${payload}}}`);
  });
}

test("a binary frame is a clear error", async () => {
  await using client = await Client.connect(server);
  client.socket.send(new Uint8Array([1, 2, 3]));
  expect(await client.next()).toMatchObject({ type: "error", error: { code: "BAD_REQUEST" } });
});

test("a frame of the largest size is read, its event is too large, and one byte more closes with 1009", async () => {
  const frame = (size: number) => publish(`"${"x".repeat(size - publish('""').length)}"`);
  await using client = await Client.connect(server);
  expect(await client.ask(frame(2_000_000 - 100))).toMatchObject({ type: "ack" });
  expect(await client.ask(frame(2_000_000))).toMatchObject({
    type: "error",
    error: { code: "TOO_LARGE", message: expect.stringMatching(/^message makes an event of 2000\d\d\d bytes/) },
  });
  client.send(frame(2_000_001));
  expect(await client.closed).toMatchObject({ code: 1009 });
});

for (const [what, bytes] of [
  ["an unmasked frame", Buffer.from([0x81, 0x02, 0x7b, 0x7d])],
  ["a reserved opcode", encodeClientFrame("{}", 3)],
  ["text that is not UTF-8", encodeClientFrame(Buffer.from([0xff, 0xfe, 0xfd]))],
  ["a fragmented ping", Buffer.from([0x09, 0x80, 0, 0, 0, 0])],
  ["random bytes", Buffer.from("c0ffee".repeat(50), "hex")],
] as const) {
  test(`${what} ends that connection only`, async () => {
    const raw = await RawClient.connect(server);
    raw.socket.write(bytes);
    raw.socket.write(encodeClientFrame('{"type":"ping"}'));
    await raw.readUntil((frames: Frame[]) => raw.close !== undefined || frames.length > 0);
    expect(raw.frames).toEqual([]);
    raw.cut();
    await using client = await Client.connect(server);
    expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  });
}
