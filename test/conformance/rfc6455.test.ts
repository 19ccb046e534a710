import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createTopic, deleteTopic, startTestServer, type TestServer } from "../support/server.ts";
import { length16, length64, OPCODES, UPGRADE, type FrameForm, type RawFrame } from "../support/websocket-frames.ts";
import { exchange, frame, framesOf, RawConnection, responsesOf } from "./raw.ts";

const { continuation: CONTINUATION, text: TEXT, binary: BINARY, close: CLOSE, ping: PING, pong: PONG } = OPCODES;

const HEAD_END = "\r\n\r\n";
const MAX_MESSAGE_BYTES = 70_000;

let server: TestServer;

beforeAll(async () => {
  server = startTestServer({ MAX_MESSAGE_BYTES: String(MAX_MESSAGE_BYTES) });
  await createTopic(server, "t");
});

/** Nothing that a client sends is a fault of the server. */
afterAll(async () => {
  expect(server.lines).toEqual([]);
  await server.stop();
});

const text = (payload: string | Buffer, form?: FrameForm) => frame(TEXT, payload, form);
const open = (payload: string | Buffer, opcode: number = TEXT) => frame(opcode, payload, { fin: false });
const next = (payload: string | Buffer, fin = false) => frame(CONTINUATION, payload, { fin });
const close = (code: number, reason: string | Buffer = "") =>
  frame(CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]));
const bytes = (hex: string) => Buffer.from(hex, "hex");

/** The most that a control frame carries. */
const LARGE = "x".repeat(125);

/** Answered by `pong` of the application. */
const ask = '{"type":"ping"}';

/** Opens a WebSocket, sends `frames`, and returns what the server sends by the time that it closes. */
async function converse(...frames: Buffer[]): Promise<RawFrame[]> {
  const received = await exchange(server, Buffer.concat([Buffer.from(UPGRADE), ...frames]));
  expect(received.toString("latin1")).toStartWith("HTTP/1.1 101 ");
  return framesOf(received);
}

/** A frame in short: its kind, and what of its payload does not depend on the time. */
function inShort({ opcode, payload }: RawFrame): string {
  if (opcode === TEXT) return /"type":"(\w+)"/.exec(payload.toString())?.[1] ?? "";
  if (opcode === CLOSE) return payload.length === 0 ? "CLOSE" : `CLOSE ${payload.readUInt16BE(0)}`;
  return `${opcode === PONG ? "PONG" : opcode} ${payload.toString("latin1")}`;
}

const story = async (...frames: Buffer[]) => (await converse(...frames)).map(inShort);

describe("an opening handshake (§4.2)", () => {
  type Fields = Record<string, string | undefined>;

  const FIELDS: Fields = {
    Host: "127.0.0.1",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
  };

  /** Sends an upgrade with some of its fields changed; undefined leaves one out. */
  async function shake(change: Fields, requestLine = "GET /ws HTTP/1.1") {
    const fields = Object.entries({ ...FIELDS, ...change }).filter(([, value]) => value !== undefined);
    await using connection = new RawConnection(server);
    connection.write(`${requestLine}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
    const received = await connection.readUntil((received) => received.includes(HEAD_END));
    const [response] = responsesOf(received.subarray(0, received.indexOf(HEAD_END) + HEAD_END.length), ["HEAD"]);
    if (response === undefined) throw new Error("There is no response");
    return response;
  }

  for (const [what, change, requestLine] of [
    ["as RFC 6455 has it", {}],
    ["with tokens in another case", { Upgrade: "WebSocket", Connection: "uPGRADE" }],
    ["with upgrade as one of several connection options", { Connection: "keep-alive, Upgrade" }],
    ["with field names in another case", { Upgrade: undefined, uPGRADE: "websocket" }],
    ["with a query", {}, "GET /ws?a=b HTTP/1.1"],
    ["with an absolute-form target", {}, "GET http://127.0.0.1/ws HTTP/1.1"],
    ["with extensions, none of which is known", { "Sec-WebSocket-Extensions": "x-unknown; a=1, permessage-deflate" }],
  ] satisfies [string, Fields, string?][]) {
    test(`${what} is accepted, with nothing that was not offered`, async () => {
      const { status, headers } = await shake(change, requestLine);
      expect(status).toBe(101);
      expect(headers.get("upgrade")?.toLowerCase()).toBe("websocket");
      expect(headers.get("connection")?.toLowerCase()).toBe("upgrade");
      expect(headers.get("sec-websocket-accept")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
      for (const name of ["sec-websocket-extensions", "sec-websocket-protocol"]) expect(headers.has(name)).toBe(false);
    });
  }

  test("with another key has another Sec-WebSocket-Accept", async () => {
    const key = "x3JJHMbDL1EzLkh9GBhXDw==";
    const accept = new Bun.CryptoHasher("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    const { headers } = await shake({ "Sec-WebSocket-Key": key });
    expect(headers.get("sec-websocket-accept")).toBe(accept);
  });

  test("with subprotocols, none of which is known, is accepted without one", async () => {
    const { status, headers } = await shake({ "Sec-WebSocket-Protocol": "chat, superchat" });
    expect(status).toBe(101);
    expect(headers.has("sec-websocket-protocol")).toBe(false);
  });

  for (const [what, change, requestLine] of [
    ["without a key", { "Sec-WebSocket-Key": undefined }],
    ["with a key that is too short", { "Sec-WebSocket-Key": "AAAA" }],
    ["with a key that is too long", { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZWQ=AA==" }],
    ["with a key that is not base64", { "Sec-WebSocket-Key": "!!!!!!!!!!!!!!!!!!!!!!==" }],
    ["with two keys", { "sec-websocket-key": "x3JJHMbDL1EzLkh9GBhXDw==" }],
    ["with another upgrade", { Upgrade: "h2c" }],
    ["without an upgrade", { Upgrade: undefined }],
    ["by another method", {}, "POST /ws HTTP/1.1"],
    ["of a page of another origin", { Origin: "http://elsewhere.example" }],
  ] satisfies [string, Fields, string?][]) {
    test(`${what} is refused`, async () => {
      expect((await shake(change, requestLine)).status).toBeWithin(400, 500);
    });
  }

  test.each([undefined, "keep-alive", "close"])("with connection option %p is refused", async (Connection) => {
    expect((await shake({ Connection })).status).toBeWithin(400, 500);
  });

  test.each([undefined, "8", "12", "14", "99", "8, 13"])("of version %p is refused, and names 13", async (version) => {
    const { status, headers } = await shake({ "Sec-WebSocket-Version": version });
    expect([400, 426]).toContain(status);
    expect(headers.get("sec-websocket-version")).toBe("13");
  });
});

describe("a frame that fails the connection", () => {
  const invalid = (what: string, code: number, ...frames: Buffer[]) => [what, code, frames] as const;
  for (const [what, code, frames] of [
    invalid("unmasked text (§5.1)", 1002, text(ask, { mask: null })),
    invalid("an unmasked ping (§5.1)", 1002, frame(PING, "", { mask: null })),
    invalid("an unmasked close (§5.1)", 1002, frame(CLOSE, "", { mask: null })),
    ...[1, 2, 4, 7].map((rsv) => invalid(`text with reserved bits ${rsv} (§5.2)`, 1002, text(ask, { rsv }))),
    invalid("a ping with a reserved bit (§5.2)", 1002, frame(PING, "", { rsv: 4 })),
    invalid("a continuation with a reserved bit (§5.2)", 1002, open("a"), frame(CONTINUATION, "", { rsv: 4 })),
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) =>
      invalid(`one of the reserved opcode ${opcode} (§5.2)`, 1002, frame(opcode)),
    ),
    ...[CLOSE, PING, PONG].flatMap((opcode) => [
      invalid(`a fragmented control frame of opcode ${opcode} (§5.5)`, 1002, frame(opcode, "", { fin: false })),
      invalid(`a control frame of 126 bytes of opcode ${opcode} (§5.5)`, 1002, frame(opcode, `${LARGE}x`)),
    ]),
    invalid("a continuation of nothing (§5.4)", 1002, next(ask, true)),
    invalid("an unfinished continuation of nothing (§5.4)", 1002, next(ask)),
    invalid("text in the middle of a fragmented message (§5.4)", 1002, open("a"), text(ask)),
    invalid("a binary frame in the middle of a fragmented message (§5.4)", 1002, open("a"), frame(BINARY)),
    ...[
      ["a lone byte", "ff"],
      ["an overlong form", "c0af"],
      ["a surrogate", "eda080"],
      ["a code point past U+10FFFF", "f4908080"],
      ["a character cut off", "e282"],
    ].flatMap(([what, hex = ""]) => [
      invalid(`text that is ${what} of UTF-8 (§8.1)`, 1007, text(bytes(hex))),
      invalid(`text in JSON that is ${what} of UTF-8 (§8.1)`, 1007, text(Buffer.from(`7b22${hex}227d`, "hex"))),
      invalid(`fragments of text that are ${what} of UTF-8 (§8.1)`, 1007, open(bytes(hex)), next("", true)),
    ]),
    invalid("a character that another fragment breaks (§8.1)", 1007, open(bytes("e282")), next(bytes("28"), true)),
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code) =>
      invalid(`a close of code ${code} (§7.4)`, 1002, close(code)),
    ),
    invalid("a close of one byte (§5.5.1)", 1002, frame(CLOSE, bytes("03"))),
    invalid("a close whose reason is not UTF-8 (§5.5.1)", 1007, close(1000, bytes("fffe"))),
    invalid("a message that is too large (§7.4.1)", 1009, text(ask, { length: length64(70_001n) })),
    invalid("fragments that are too large (§7.4.1)", 1009, open(ask.padEnd(MAX_MESSAGE_BYTES)), next(" ", true)),
    invalid("one of nearly 2^63 bytes (§5.2)", 1009, text("", { length: length64(2n ** 63n - 1n) })),
  ]) {
    test(`${what} is answered by close ${code} and by nothing else`, async () => {
      expect(await story(...frames, text(ask))).toEqual([`CLOSE ${code}`]);
    });
  }

  test("one whose 64-bit length has its first bit set (§5.2) is answered by a close and by nothing else", async () => {
    expect(await story(text(ask, { length: length64(2n ** 63n + 15n) }), text(ask))).toEqual([
      expect.stringMatching(/^CLOSE 100[29]$/),
    ]);
  });
});

describe("a message", () => {
  const cut = Buffer.from('{"type":"é€😀"}');
  const end = close(1000);
  const valid = (what: string, answers: string[], ...frames: Buffer[]) => [what, answers, frames] as const;
  for (const [what, answers, frames] of [
    ...[0, 1, 125, 126, 65535, 65536, MAX_MESSAGE_BYTES].map((size) =>
      valid(`of ${size} bytes (§5.2)`, [size < ask.length ? "error" : "pong"], text(ask.slice(0, size).padEnd(size))),
    ),
    valid("of two bytes of length (§5.2)", ["pong"], text(ask.padEnd(200), { length: length16(200) })),
    valid("of eight bytes of length (§5.2)", ["pong"], text(ask.padEnd(65536), { length: length64(65536n) })),
    ...["00000000", "ffffffff", "deadbeef", "22222222"].map((mask) =>
      valid(`masked by ${mask} (§5.3)`, ["pong"], text(ask, { mask: bytes(mask) })),
    ),
    valid("in three parts (§5.4)", ["pong"], open(ask.slice(0, 5)), next(ask.slice(5, 9)), next(ask.slice(9), true)),
    valid("with empty fragments (§5.4)", ["pong"], open(""), next(""), next(ask), next(""), next("", true)),
    valid("in fragments of a byte (§5.4)", ["pong"], open(""), ...[...ask].map((byte) => next(byte)), next("", true)),
    valid("of fragments, then another (§5.4)", ["pong", "pong"], open(ask), next("", true), text(ask)),
    valid("that is binary (§5.6)", ["error"], frame(BINARY, bytes("ff00"))),
    valid("that is binary, in fragments (§5.4)", ["error"], open(bytes("ff"), BINARY), next(bytes("fe"), true)),
    valid("around a ping (§5.5)", ["PONG mid", "pong"], open(ask), frame(PING, "mid"), next("", true)),
    valid("around a pong (§5.5)", ["pong"], open(ask), frame(PONG, "mid"), next("", true)),
    valid("broken off by a close (§5.5.1)", [], open(ask)),
    valid("after a ping (§5.5.2)", ["PONG hello", "pong"], frame(PING, "hello"), text(ask)),
    valid("after a ping of nothing (§5.5.2)", ["PONG ", "pong"], frame(PING), text(ask)),
    valid("after a large ping (§5.5.2)", [`PONG ${LARGE}`, "pong"], frame(PING, LARGE), text(ask)),
    valid("after a ping of any bytes (§5.5.2)", ["PONG ÿ\0þ", "pong"], frame(PING, bytes("ff00fe")), text(ask)),
    valid("after a pong that nobody asked for (§5.5.3)", ["pong"], frame(PONG, "unasked"), text(ask)),
    valid("after an error of the application", ["error", "pong"], text("{"), text(ask)),
  ]) {
    test(`${what} is answered as a whole, and the connection lives until it is closed`, async () => {
      expect(await story(...frames, end)).toEqual([...answers, "CLOSE 1000"]);
    });
  }

  test("has its UTF-8 read as a whole, wherever fragments cut it (§8.1)", async () => {
    for (let at = 0; at <= cut.length; at++) {
      const [answer] = await converse(open(cut.subarray(0, at)), next(cut.subarray(at), true), end);
      expect(answer?.payload.toString()).toContain("é€😀");
    }
  });

  test("is read the same, wherever TCP cuts it", async () => {
    const sent = Buffer.concat([text(ask.padEnd(200)), frame(PING, "p"), end]);
    await using connection = new RawConnection(server);
    connection.write(UPGRADE);
    await connection.readUntil((received) => received.includes(HEAD_END));
    for (const byte of sent) connection.write(Buffer.from([byte]));
    expect(framesOf(await connection.readToEnd()).map(inShort)).toEqual(["pong", "PONG p", "CLOSE 1000"]);
  });
});

describe("a closing handshake (§5.5.1, §7)", () => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]) {
    test(`of code ${code} is answered by the same code, and the connection is closed`, async () => {
      expect(await story(close(code, "good bye €"))).toEqual([`CLOSE ${code}`]);
    });
  }

  test("without a code is answered, and the connection is closed", async () => {
    expect(await story(frame(CLOSE))).toEqual([expect.stringMatching(/^CLOSE( 1000)?$/)]);
  });

  test("with the longest reason is answered, and the connection is closed", async () => {
    expect(await story(close(1000, "x".repeat(123)))).toEqual(["CLOSE 1000"]);
  });

  test.each([
    ["text", text(ask)],
    ["a ping", frame(PING, "late")],
    ["another close", close(1001)],
    ["an invalid frame", bytes("ffffff")],
  ])("is over for the client: %s after it is not answered", async (_, late) => {
    expect(await story(close(1000), late)).toEqual(["CLOSE 1000"]);
  });

  test("that the server begins is the last that it sends, and over with the client's answer", async () => {
    await using connection = new RawConnection(server);
    await createTopic(server, "gone");
    connection.write(UPGRADE);
    connection.write(text('{"type":"subscribe","topic":"gone","client_id":"c"}'));
    await connection.readUntil((received) => received.includes('"type":"ack"'));
    await deleteTopic(server, "gone");
    await connection.readUntil((received) => received.includes("topic deleted"));
    connection.write(frame(PING, "late"));
    connection.write(close(4404));
    expect(framesOf(await connection.readToEnd()).map(inShort)).toEqual(["ack", "info", "9 read so far", "CLOSE 4404"]);
  });
});

test("every frame that the server sends is whole, unmasked, without reserved bits, and of UTF-8 (§5.1, §5.2, §5.6)", async () => {
  const long = text(`{"type":"${"é".repeat(70)}"}`);
  const frames = [...(await converse(text(ask), long, close(1000, "€"))), ...(await converse(text(bytes("ff"))))];
  expect(frames.map(({ opcode }) => opcode)).toEqual([TEXT, TEXT, CLOSE, CLOSE]);
  for (const { opcode, payload } of frames) {
    new TextDecoder("utf-8", { fatal: true }).decode(payload.subarray(opcode === CLOSE ? 2 : 0));
  }
});
