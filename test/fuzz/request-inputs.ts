import type { Random } from "../support/random.ts";
import { mutatedBytes, noise } from "./bytes.ts";
import type { Input } from "./fuzz.ts";
import { leaf, mutated, print, treeOf } from "./json.ts";
import { CODINGS, FIELD_VALUES, FIELDS, METHODS, PARAMETERS, PIECES, VALUES } from "./request-words.ts";

export type RequestInput = Input & {
  readonly method: string;
  /** The path, where it was left as it was. */
  readonly path: string | undefined;
  readonly bytes: Buffer;
  /** Whether the bytes are one request as HTTP/1.1 has it, so that what comes behind it must be answered, too. */
  readonly whole: boolean;
};

type Plan = { method: string; path: string; query: string; fields: [name: string, value: string][]; body: Buffer };

export const TOPIC = "é /?#%";
const NAME = encodeURIComponent(TOPIC);

/** Every route with a query, and with what may stand in a body. */
const ROUTES: readonly [method: string, path: string, query?: string, body?: object][] = [
  ["GET", "/topics"],
  ["POST", "/topics", "", { name: "made" }],
  ["POST", "/topics", "", { name: "é😀" }],
  ["GET", "/topics/t", "limit=10&after=a"],
  ["DELETE", "/topics/made"],
  ["DELETE", "/topics/none"],
  ["GET", "/topics/t/messages", "last_n=3"],
  ["GET", `/topics/${NAME}/messages`, "since=1&until=3"],
  ["GET", "/topics/t/messages", "since=x:1&epoch=x"],
  ["POST", "/topics/t/messages", "", { id: "a1b2c3d4-e5f6-7890-1234-567890abcdef", payload: { a: 1.5 } }],
  ["POST", `/topics/${NAME}/messages`, "", { messages: [{ payload: 1 }, { payload: "é" }] }],
  ["GET", "/topics/t/events", "last_n=2&client_id=c&queue=5&overflow=latest"],
  ["GET", "/topics/none/events", "since=x:1"],
  ["GET", "/ws"],
  ["GET", "/ws?upgrade"],
  ["GET", "/health"],
  ["GET", "/stats"],
  ["GET", "/metrics"],
  ["GET", "/livez"],
  ["GET", "/readyz"],
];

const UPGRADE: [string, string][] = [
  ["Connection", "Upgrade"],
  ["Upgrade", "websocket"],
  ["Sec-WebSocket-Version", "13"],
  ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
];

const KINDS = [
  "valid",
  "path",
  "path",
  "query",
  "query",
  "fields",
  "fields",
  "body",
  "body",
  "method",
  "framing",
  "bytes",
  "noise",
];
const KEYS = ["name", "id", "payload", "messages"];
function planOf(random: Random, key: string): Plan {
  const [method, path, query = "", body] = random.pick(ROUTES);
  const fields: [string, string][] = [["Host", "127.0.0.1"]];
  if (key !== "") fields.push(["X-API-Key", key]);
  if (path.endsWith("?upgrade")) {
    return { method, path: "/ws", query: "", fields: [...fields, ...UPGRADE], body: Buffer.alloc(0) };
  }
  return {
    method,
    path,
    query: random.chance(0.7) ? query : "",
    fields,
    body: Buffer.from(body ? JSON.stringify(body) : ""),
  };
}

/** A text with one of `pieces` put into it, or something taken out of it. */
function disturbed(text: string, random: Random, pieces: readonly string[]): string {
  const at = random.int(text.length + 1);
  if (random.chance(0.2)) return text.slice(0, at) + text.slice(at + 1 + random.int(3));
  return text.slice(0, at) + random.pick(pieces) + text.slice(random.chance(0.5) ? at : at + 1);
}

function queryOf(random: Random, query: string): string {
  if (random.chance(0.3)) return disturbed(query, random, [...PIECES, "&", "="]);
  const added = `${random.pick(PARAMETERS)}${random.pick(["=", "=", ""])}${random.pick(VALUES)}`;
  return random.chance(0.5) && query !== "" ? `${query}&${added}` : added;
}

function fieldsOf(random: Random, fields: Plan["fields"]): Plan["fields"] {
  const at = random.int(fields.length + 1);
  const field: [string, string] = [random.pick(FIELDS), random.pick(FIELD_VALUES)];
  const kind = random.int(6);
  if (kind === 0) return fields.toSpliced(at, 1);
  if (kind === 1) return [...fields, ...Array.from({ length: random.int(120) }, () => field)];
  return fields.toSpliced(at, 0, field);
}

function chunks(body: Buffer, random: Random): Buffer {
  const parts: Buffer[] = [];
  for (let left = body; left.length > 0;) {
    const size = 1 + random.int(left.length);
    const extension = random.chance(0.1) ? ";a=b" : "";
    parts.push(Buffer.from(`${size.toString(16)}${extension}\r\n`), left.subarray(0, size), Buffer.from("\r\n"));
    left = left.subarray(size);
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

function encoded({ method, path, query, fields, body }: Plan, framing: Plan["fields"], content = body): Buffer {
  const lines = [...fields, ...framing].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const target = `${path}${query === "" ? "" : `?${query}`}`;
  return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, "latin1"), content]);
}

export function requestInputs(random: Random, keys: readonly string[]): RequestInput[] {
  return Array.from({ length: 16 }, () => oneInput(random, random.pick(keys)));
}

function oneInput(random: Random, key: string): RequestInput {
  const plan = planOf(random, key);
  const bare = plan.body.length === 0;
  const kind = random.pick(KINDS);
  const { path: planned } = plan;
  if (kind === "path") plan.path = disturbed(plan.path, random, PIECES);
  if (kind === "query") plan.query = queryOf(random, plan.query);
  if (kind === "fields") for (let i = 1 + random.int(3); i > 0; i--) plan.fields = fieldsOf(random, plan.fields);
  if (kind === "method") plan.method = random.pick(METHODS);
  if (kind === "body") plan.body = brokenBody(random, plan.body);
  const isChunked = random.chance(0.4);
  const length: [string, string] = ["Content-Length", String(plan.body.length)];
  const coding: [string, string] = ["Transfer-Encoding", "chunked"];
  const framing = bare && kind !== "body" ? [] : [isChunked ? coding : length];
  const content = isChunked && framing.length > 0 ? chunks(plan.body, random) : plan.body;
  let bytes = encoded(plan, framing, content);
  if (kind === "framing") {
    const odd: [string, string] = [
      random.pick(["Transfer-Encoding", "Content-Length", "Content-Length "]),
      random.pick(CODINGS),
    ];
    const framings = [[...framing, odd], [odd], [odd, length], [length, coding]];
    bytes = encoded(plan, random.pick(framings), random.chance(0.5) ? chunks(plan.body, random) : plan.body);
  }
  if (kind === "bytes") bytes = mutatedBytes(bytes, random);
  if (kind === "noise") bytes = noise(random, 100);
  const whole = ["valid", "path", "query", "body"].includes(kind) && !/[\s\0-\x1f\x7f]/.test(plan.path + plan.query);
  const path = ["path", "framing", "bytes", "noise"].includes(kind) ? undefined : planned;
  return { kind, shown: JSON.stringify(bytes.toString("latin1")), method: plan.method, path, bytes, whole };
}

function brokenBody(random: Random, body: Buffer): Buffer {
  const kind = random.int(4);
  if (body.length === 0 || kind === 0) return Buffer.from(leaf(random));
  if (kind === 1) return mutatedBytes(body, random);
  let tree = treeOf(JSON.parse(body.toString()));
  for (let i = 1 + random.int(3); i > 0; i--) tree = mutated(tree, random, KEYS);
  return Buffer.from(print(tree));
}
