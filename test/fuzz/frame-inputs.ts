import { JsonWriter } from "../support/json-writer.ts";
import type { Random } from "../support/random.ts";
import { encodeClientFrame, OPCODES } from "../support/websocket-frames.ts";
import { mutatedBytes, noise, textOf } from "./bytes.ts";
import type { Input } from "./fuzz.ts";
import { leaf, mutated, print, treeOf, type Json } from "./json.ts";

export type FrameInput = Input & {
  readonly bytes: Buffer;
  /** The text that the server must read; undefined for a binary message. */
  readonly text: string | undefined;
  /** The same as a tree, where it was made from one. */
  readonly tree: Json | undefined;
  /** What is to become of the connection: it lives, it ends, or either. */
  readonly fate: "lives" | "ends" | "open";
};

export const TOPICS = ["t", "é /?#%"] as const;

const KEYS = [
  ...["type", "topic", "client_id", "request_id", "message", "messages", "id", "payload", "ack"],
  ...["last_n", "since", "epoch", "seq", "queue", "overflow", "token"],
];

/** A valid frame. */
function frame(random: Random, tokens: readonly string[]): Json {
  const topic = random.chance(0.9) ? random.pick(TOPICS) : random.pick(["none", "made by use"]);
  const client_id = random.pick(["a", "b", "ü"]);
  const request = random.chance(0.8) ? { request_id: random.pick(["r", 7, "", -1.5, 'é"\\']) } : {};
  const message = (): Json => ({
    members: [
      ['"id"', JSON.stringify(Bun.randomUUIDv7())],
      ['"payload"', leaf(random)],
    ],
  });
  const ack = random.pick([{}, {}, { ack: true }, { ack: false }, { ack: null }]);
  const start = random.pick([{}, {}, { last_n: random.int(20) }, { since: { epoch: "x", seq: random.int(9) } }]);
  const wish = random.pick([{}, { queue: 1 + random.int(200) }, { overflow: random.pick(["drop_oldest", "latest"]) }]);
  const withMembers = (fields: object, key: string, value: Json): Json => {
    const tree = treeOf({ ...fields, topic, ...request, ...ack });
    return typeof tree === "string" || !("members" in tree) ? tree : { members: [...tree.members, [key, value]] };
  };
  switch (random.int(8)) {
    case 0:
      return treeOf({ type: "ping", ...request });
    case 1:
      return treeOf({ type: "auth", token: random.pick(tokens), ...request });
    case 2:
      return treeOf({ type: "unsubscribe", topic, client_id, ...request });
    case 3:
    case 4:
      return treeOf({ type: "subscribe", topic, client_id, ...request, ...start, ...wish });
    case 5:
      return withMembers({ type: "publish" }, `"messages"`, {
        items: Array.from({ length: 1 + random.int(5) }, message),
      });
    default:
      return withMembers({ type: "publish" }, `"message"`, message());
  }
}

/** A text, as a whole or in fragments with control frames in between (RFC 6455 §5.4). */
function encoded(bytes: Buffer, random: Random, pieces: number): Buffer {
  const form = random.chance(0.5) ? { mask: Buffer.from([1, 2, 3, random.int(256)]) } : {};
  const cuts = Array.from({ length: pieces - 1 }, () => random.int(bytes.length + 1)).sort((a, b) => a - b);
  const parts = [...cuts, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : cuts[index - 1], end));
  return Buffer.concat(
    parts.flatMap((part, index) => {
      const opcode = index === 0 ? OPCODES.text : OPCODES.continuation;
      const control = index > 0 && random.chance(0.3) ? [encodeClientFrame("p", random.pick([9, 10]))] : [];
      return [...control, encodeClientFrame(part, opcode, { ...form, fin: index === parts.length - 1 })];
    }),
  );
}

/** The frames of one round. What may end the connection comes last. */
export function frameInputs(random: Random, tokens: readonly string[]): FrameInput[] {
  const inputs = Array.from({ length: 1 + random.int(30) }, () => oneInput(random, tokens));
  const ending = inputs.find(({ fate }) => fate !== "lives");
  return [...inputs.filter(({ fate }) => fate === "lives"), ...(ending === undefined ? [] : [ending])];
}

function oneInput(random: Random, tokens: readonly string[]): FrameInput {
  let tree = frame(random, tokens);
  const kind = random.int(20);
  const from = (name: string, given: Buffer, json?: Json, pieces = 1): FrameInput => {
    const text = textOf(given);
    const bytes = encoded(given, random, pieces);
    const shown = text ?? `hex ${given.toString("hex")}`;
    return { kind: name, shown, bytes, text, tree: json, fate: text === undefined ? "ends" : "lives" };
  };
  const valid = () => Buffer.from(print(tree));
  if (kind < 3) return from("valid", valid(), tree);
  if (kind < 12) {
    for (let i = 1 + random.int(4); i > 0; i--) tree = mutated(tree, random, KEYS);
    return from("structure", valid(), tree);
  }
  if (kind < 14) return from("fragments", valid(), tree, 2 + random.int(6));
  if (kind < 17) return from("bytes", mutatedBytes(valid(), random));
  if (kind < 18) {
    const words = random.chance(0.5) ? noise(random, 60) : Buffer.from(new JsonWriter(random).value(4));
    return from("noise", words);
  }
  if (kind < 19) {
    const bytes = encodeClientFrame(valid(), OPCODES.binary);
    return { kind: "binary", shown: print(tree), bytes, text: undefined, tree: undefined, fate: "lives" };
  }
  const bytes = mutatedBytes(encoded(valid(), random, 1 + random.int(3)), random);
  return { kind: "wire", shown: `hex ${bytes.toString("hex")}`, bytes, text: undefined, tree: undefined, fate: "open" };
}
