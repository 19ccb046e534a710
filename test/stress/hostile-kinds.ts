import { ID } from "../support/client.ts";
import type { Random } from "../support/random.ts";
import { streamRequest } from "../support/sse-client.ts";
import { encodeClientFrame, length64, OPCODES, UPGRADE } from "../support/websocket-frames.ts";

/** What one sends; undefined to reset the connection. */
type Bytes = string | Buffer | undefined;

/** What it sends first, and each time after that; none reads what it does not have to. */
export type Kind = {
  hello: (index: number) => string | Buffer;
  /** @param step how often it has acted since the hello, 0 the first time */
  then?: (step: number) => Bytes;
  reads?: boolean;
  /** Sends as fast as the server takes it, not only when it is its turn. */
  flatOut?: boolean;
  /** Does not wait until all was taken before it resets the connection. */
  hangsUp?: boolean;
  /** How many there are of it at the most. */
  most?: number;
};

/** Of the server's defaults. */
const MAX_MESSAGE_BYTES = 1_048_576;
const BODY_BYTES = 1_000_000;
const FLOOD_BYTES = 1_000_000;
const FLOODERS = 20;
/** How many of the flat out share the server's time with the good ones. */
const FLAT_OUT = 1;

const frame = (content: object) => encodeClientFrame(JSON.stringify(content));
const times = (count: number, bytes: Buffer) => Buffer.concat(Array<Buffer>(count).fill(bytes));
const afterUpgrade = (...frames: Buffer[]) => Buffer.concat([Buffer.from(UPGRADE), ...frames]);
const publishOf = (topic: string, bytes: number) =>
  frame({ type: "publish", topic, message: { id: ID, payload: "x".repeat(bytes) } });

/** None of these is a frame that a client may send (RFC 6455 §5, §8.1). */
const INVALID = [
  encodeClientFrame("{}", OPCODES.text, { mask: null }),
  encodeClientFrame("x".repeat(126), OPCODES.ping),
  encodeClientFrame("x".repeat(5000), OPCODES.close),
  encodeClientFrame("", OPCODES.ping, { fin: false }),
  encodeClientFrame(Buffer.from([0xff, 0xfe]), OPCODES.text),
  encodeClientFrame(Buffer.from("7b22eda080227d", "hex"), OPCODES.text),
  encodeClientFrame("{}", OPCODES.text, { rsv: 4 }),
  encodeClientFrame("{}", 11),
  encodeClientFrame("{}", OPCODES.continuation),
  encodeClientFrame("", OPCODES.text, { length: length64(2n ** 62n) }),
  encodeClientFrame("", OPCODES.text, { length: length64(2n ** 63n + 15n) }),
];

/** All kinds of hostile clients, by name. */
export function hostileKinds(
  topics: { feed: string; history: string; spam: string },
  random: Random,
): Record<string, Kind> {
  const spam = publishOf(topics.spam, 1000);
  const history = `GET /topics/${encodeURIComponent(topics.history)}/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
  const post = [
    `POST /topics/${encodeURIComponent(topics.spam)}/messages HTTP/1.1`,
    "Host: 127.0.0.1",
    `Content-Length: ${BODY_BYTES}`,
  ];
  const slowPost = `${post.join("\r\n")}\r\n\r\n`;
  const large = Object.values(topics).map((topic) => publishOf(topic, MAX_MESSAGE_BYTES - 1000));
  const whole = publishOf(topics.spam, MAX_MESSAGE_BYTES - 1000);
  const churn = [{ type: "subscribe" }, { type: "unsubscribe" }].map((one) =>
    frame({ ...one, topic: topics.feed, client_id: "churn" }),
  );
  const garbage = [
    encodeClientFrame("no JSON ".repeat(30)),
    frame({ type: "nothing of the sort", topic: {} }),
    frame({ type: "subscribe", topic: "not there", client_id: "x" }),
    encodeClientFrame(Buffer.alloc(500, 1), OPCODES.binary),
    // Neither masked nor of an opcode that there is.
    Buffer.from([0x8b, 0x7f, 1, 2, 3]),
  ];
  /** Any characters there are, lone surrogates among them. */
  const anyText = () => String.fromCharCode(...Array.from({ length: 1 + random.int(60) }, () => random.int(0x10000)));
  const unicode = () => {
    const message = { id: ID, payload: { [anyText()]: anyText() } };
    return random.pick([
      frame({ type: "publish", topic: topics.spam, message }),
      frame({ type: "publish", topic: anyText(), message }),
      frame({ type: "subscribe", topic: topics.feed, client_id: anyText(), request_id: anyText() }),
      frame({ type: anyText() }),
    ]);
  };

  return {
    silent: { hello: () => "" },
    "half a handshake": { hello: () => UPGRADE.slice(0, 60) },
    "slow handshake": { hello: () => "", then: (step) => UPGRADE[step] ?? "" },
    "slow body": { hello: () => slowPost, then: () => "x" },
    "all but the last byte of a body": { hello: () => slowPost + "x".repeat(BODY_BYTES - 1) },
    "half a frame": { hello: () => afterUpgrade(spam.subarray(0, spam.length >> 1)) },
    "all but the last byte of a frame": { hello: () => afterUpgrade(whole.subarray(0, -1)) },
    "endless fragments": {
      hello: () => afterUpgrade(encodeClientFrame("{", OPCODES.text, { fin: false })),
      then: () => times(100, encodeClientFrame("", OPCODES.continuation, { fin: false })),
      reads: true,
    },
    invalid: { hello: () => UPGRADE, then: () => random.pick(INVALID), reads: true },
    "deaf socket": {
      hello: (i) => afterUpgrade(frame({ type: "subscribe", topic: topics.feed, client_id: `deaf ${i}` })),
    },
    "deaf stream": { hello: () => streamRequest({ topic: topics.feed }) },
    garbage: {
      hello: () => UPGRADE,
      then: () => Buffer.concat(Array.from({ length: 20 }, () => random.pick(garbage))),
      reads: true,
    },
    unicode: { hello: () => UPGRADE, then: () => Buffer.concat(Array.from({ length: 5 }, unicode)), reads: true },
    history: { hello: () => history, then: () => history },
    mute: { hello: () => UPGRADE, then: () => times(20, spam) },
    "flat out mute": { hello: () => UPGRADE, then: () => times(100, spam), flatOut: true, most: FLAT_OUT },
    "flat out churn": {
      hello: () => UPGRADE,
      then: () => times(100, Buffer.concat(churn)),
      reads: true,
      flatOut: true,
      most: FLAT_OUT,
    },
    large: { hello: () => UPGRADE, then: (step) => large[step % large.length], reads: true, most: FLAT_OUT },
    resetting: { hello: () => UPGRADE, then: () => undefined },
    flood: {
      hello: () => UPGRADE,
      then: (step) => (step === 0 ? times(Math.floor(FLOOD_BYTES / 7), encodeClientFrame("{")) : undefined),
      hangsUp: true,
      most: FLOODERS,
    },
  };
}
