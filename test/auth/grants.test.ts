import { describe, expect, test } from "bun:test";
import { makeKey, KeyRing } from "../../src/auth/keys.ts";
import { Grant, matchesPattern, may, MOST_REMEMBERED } from "../../src/auth/permissions.ts";
import { Random, seedOfRun } from "../support/random.ts";

test.each([
  ["orders", "orders", true],
  ["orders", "orders.eu", false],
  ["orders", "order", false],
  ["orders*", "orders", true],
  ["orders.*", "orders.eu", true],
  ["orders.*", "orders", false],
  ["*", "anything at all", true],
  ["a*b", "axb", false],
  ["a*b", "a*b", true],
  ["a**", "a*x", true],
  ["a**", "ax", false],
  ["", "a", false],
] as const)("pattern %j and topic %j: %p", (pattern, topic, matches) => {
  expect(matchesPattern(pattern, topic)).toBe(matches);
});

test("without a grant everything is allowed; with one only what it says, and nothing follows from admin", () => {
  expect([may(undefined, "publish", "t"), may(undefined, "admin")]).toEqual([true, true]);
  const admin = new Grant({ owner: "o", issuer: "i", permissions: { publish: [], subscribe: [], admin: true } });
  expect([may(admin, "admin"), may(admin, "publish", "t"), may(admin, "subscribe", "t")]).toEqual([true, false, false]);
});

test("what a grant remembers is what it would decide anew, however many topics it is asked for", () => {
  const seed = seedOfRun();
  const random = new Random(seed);
  const letters = ["a", "b", ".", "*"];
  const word = (most: number) => Array.from({ length: random.int(most) + 1 }, () => random.pick(letters)).join("");
  for (let round = 0; round < 30; round++) {
    const patterns = () => Array.from({ length: random.int(4) }, () => word(4));
    const permissions = { publish: patterns(), subscribe: patterns(), admin: random.chance(0.5) };
    const grant = new Grant({ owner: "o", issuer: "i", permissions });
    const topics = Array.from({ length: 50 }, () => word(6));
    for (let ask = 0; ask < 3 * MOST_REMEMBERED; ask++) {
      const action = random.pick(["publish", "subscribe"] as const);
      const topic = random.chance(0.5) ? random.pick(topics) : `${word(4)}${ask}`;
      const fresh = permissions[action].some((pattern) => matchesPattern(pattern, topic));
      expect(may(grant, action, topic), `SEED=${seed} ${action} ${topic} ${JSON.stringify(permissions)}`).toBe(fresh);
    }
  }
});

describe("KeyRing", () => {
  const none = { publish: [], subscribe: [], admin: false };

  test("finds a key by its hash, and no other", () => {
    const made = ["a", "b", "c"].map((name) => makeKey(name, none));
    const ring = KeyRing.parse(JSON.stringify({ keys: made.map(({ entry }) => entry) }));
    expect(made.map(({ key }) => ring.find(key)?.owner)).toEqual(["key a", "key b", "key c"]);
    for (const wrong of ["", "psk_", made[0]?.entry.sha256 ?? "", `${made[0]?.key}x`]) {
      expect(ring.find(wrong)).toBeUndefined();
    }
    expect(made[0]?.key).toMatch(/^psk_[\w-]{43}$/);
    expect(JSON.stringify(made[0]?.entry)).not.toContain(made[0]?.key ?? "");
  });

  test.each([
    ["not JSON", "{", /JSON/],
    ["no keys", "{}", /^keys /],
    ["a hash that is none", `{"keys":[{"name":"a","sha256":"x"}]}`, /^keys\.0\.sha256 must be a SHA-256 hash/],
    ["a key without a name", `{"keys":[{"sha256":"${"0".repeat(64)}"}]}`, /^keys\.0\.name /],
    [
      "a pattern that is none",
      `{"keys":[{"name":"a","sha256":"${"0".repeat(64)}","publish":"*"}]}`,
      /^keys\.0\.publish /,
    ],
    [
      "a key twice",
      `{"keys":[{"name":"a","sha256":"${"0".repeat(64)}"},{"name":"b","sha256":"${"0".repeat(64)}"}]}`,
      /two entries have the hash of 'b'/,
    ],
    ["a field that nobody knows", `{"keys":[{"name":"a","sha256":"${"0".repeat(64)}","pubish":[]}]}`, /pubish/],
  ])("says what is wrong with a file with %s", (_what, text, problem) => {
    expect(() => KeyRing.parse(text)).toThrow(problem);
  });
});
