import { expect, test } from "bun:test";
import { MOST_VERIFIED, Tokens, type KeySource } from "../../src/auth/tokens.ts";

/** A source of keys that counts how often a signature is looked at. */
function countingSource(exp: () => number) {
  const state = { verified: 0, isThere: true };
  const source: KeySource = {
    verify: async (token) => {
      state.verified++;
      if (!state.isThere) throw new Error("gone");
      return { payload: { sub: token, exp: exp() } };
    },
    issuer: () => "key",
    has: () => state.isThere,
  };
  return { state, tokens: new Tokens([source], {}) };
}

const soon = () => Date.now() / 1000 + 600;

test("Tokens looks at a signature once, and its connections share the grant", async () => {
  const { state, tokens } = countingSource(soon);
  const grant = await tokens.verify("alice");
  expect(await tokens.verify("alice")).toBe(grant);
  expect(await tokens.verify("bob")).not.toBe(grant);
  expect(state.verified).toBe(2);
});

test("Tokens looks again once the token has expired, or its key is gone", async () => {
  const expired = countingSource(() => Date.now() / 1000 - 1);
  for (let i = 0; i < 2; i++) await expired.tokens.verify("alice");
  expect(expired.state.verified).toBe(2);
  const gone = countingSource(soon);
  await gone.tokens.verify("alice");
  gone.state.isThere = false;
  expect(gone.tokens.verify("alice")).rejects.toThrow();
  expect(gone.state.verified).toBe(2);
});

test("Tokens remembers so many and no more, and none that is very long", async () => {
  const { state, tokens } = countingSource(soon);
  for (let i = 0; i <= MOST_VERIFIED; i++) await tokens.verify(`t${i}`);
  await tokens.verify(`t${MOST_VERIFIED}`);
  expect(state.verified).toBe(MOST_VERIFIED + 1);
  await tokens.verify("t0");
  expect(state.verified).toBe(MOST_VERIFIED + 2);
  for (let i = 0; i < 2; i++) await tokens.verify("x".repeat(4000));
  expect(state.verified).toBe(MOST_VERIFIED + 4);
});
