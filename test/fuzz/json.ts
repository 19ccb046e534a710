/** JSON as a tree whose leaves are text, so that it can be broken in a known way and printed byte for byte. */
import { JsonWriter } from "../support/json-writer.ts";
import { HOSTILE_PAYLOADS } from "../support/payloads.ts";
import type { Random } from "../support/random.ts";

/** A leaf's text, the members of an object (each key as it is spelled), or the items of an array. */
export type Json = string | { members: [key: string, value: Json][] } | { items: Json[] };

export function treeOf(value: unknown): Json {
  if (Array.isArray(value)) return { items: value.map(treeOf) };
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return { members: members.map(([key, member]) => [JSON.stringify(key), treeOf(member)]) };
}

export function print(json: Json): string {
  if (typeof json === "string") return json;
  if ("items" in json) return `[${json.items.map(print).join(",")}]`;
  return `{${json.members.map(([key, value]) => `${key}:${print(value)}`).join(",")}}`;
}

/** The member that `JSON.parse` would find: of a repeated key the last one. */
export function memberOf(json: Json | undefined, name: string): Json | undefined {
  if (json === undefined || typeof json === "string" || !("members" in json)) return undefined;
  return json.members.findLast(([key]) => JSON.parse(key) === name)?.[1];
}

const deep = (depth: number) => [
  "[".repeat(depth) + "]".repeat(depth),
  `${'{"a":'.repeat(depth)}null${"}".repeat(depth)}`,
];

/** Leaves of every type, most of them at some border. */
const LEAVES: readonly string[] = [
  ...HOSTILE_PAYLOADS,
  ...["false", "1", "-1", "0.5", "1.0", "1e0", "2147483648", "9007199254740991", "9007199254740992", "1e21", "-1e400"],
  ...[0, 1, 254, 255, 256, 70_000].map((length) => JSON.stringify("n".repeat(length))),
  ...["é".repeat(127), "é".repeat(128), "😀", "\u0000", "\u007f", "\u0085", "\u2028", "\ufeff", "\uffff", " "].map(
    (text) => JSON.stringify(text),
  ),
  String.raw`"\ud800"`,
  String.raw`"\udc00\ud800"`,
  String.raw`"\uD83D\uDE00"`,
  String.raw`"\u0074"`,
  `"constructor"`,
  `"__proto__"`,
  `"A1B2C3D4-E5F6-7890-1234-567890ABCDEF"`,
  `"a1b2c3d4e5f678901234567890abcdef"`,
  ...deep(50),
  ...deep(20_000),
];

const KEYS = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "",
  "unknown",
  "Topic",
  "topic ",
  "length",
  "0",
];

export function leaf(random: Random): string {
  return random.chance(0.8) ? random.pick(LEAVES) : new JsonWriter(random).value(3);
}

/** All objects and arrays of a tree, itself among them. */
function branches(json: Json): Exclude<Json, string>[] {
  if (typeof json === "string") return [];
  const below = "items" in json ? json.items : json.members.map(([, value]) => value);
  return [json, ...below.flatMap(branches)];
}

/** Returns a tree that differs from `json` in one place. `keys` are those that mean something. */
export function mutated(json: Json, random: Random, keys: readonly string[]): Json {
  const copy = structuredClone(json);
  const all = branches(copy);
  if (all.length === 0 || random.chance(0.02)) return leaf(random);
  const branch = random.pick(all);
  if ("items" in branch) mutateItems(branch.items, random);
  else mutateMembers(branch.members, random, keys);
  return copy;
}

function mutateItems(items: Json[], random: Random): void {
  const at = random.int(items.length + 1);
  const kind = random.int(4);
  if (kind === 0) items.splice(at, 1);
  else if (kind === 1) items.splice(at, 0, items[at] ?? leaf(random));
  else if (kind === 2) items.splice(at, 1, leaf(random));
  else items.splice(at, 0, leaf(random));
}

function mutateMembers(members: [string, Json][], random: Random, keys: readonly string[]): void {
  const at = random.int(members.length);
  const [key, value] = members[at] ?? [`"unknown"`, "1"];
  const known = JSON.stringify(random.pick(keys));
  switch (random.int(8)) {
    case 0:
      return void members.splice(at, 1);
    case 1:
      return void members.splice(random.int(members.length + 1), 0, [key, random.chance(0.5) ? value : leaf(random)]);
    case 2:
      return void members.splice(at, 1, [random.chance(0.5) ? JSON.stringify(random.pick(KEYS)) : known, value]);
    case 3:
      return void members.splice(at, 0, [JSON.stringify(random.pick(KEYS)), leaf(random)]);
    case 4:
      return void members.splice(at, 0, [known, leaf(random)]);
    case 5:
      return void members.splice(at, 1, [spelled(key), value]);
    case 6:
      return void members.splice(at, 1, [key, random.chance(0.5) ? { items: [value] } : { members: [[key, value]] }]);
    default:
      return void members.splice(at, 1, [key, leaf(random)]);
  }
}

/** A key with its letters as escapes. */
function spelled(key: string): string {
  const letters = [...String(JSON.parse(key))].map(
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `"${letters.join("")}"`;
}
