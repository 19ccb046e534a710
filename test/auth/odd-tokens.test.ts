/** Found by test/fuzz. */
import { expect, test } from "bun:test";
import { TokenSigners } from "../fuzz/token-signers.ts";
import { Client } from "../support/client.ts";
import { AUDIENCE, ISSUER, TestCredentials } from "../support/credentials.ts";
import { startGuardedServer } from "../support/server.ts";

test.each([
  ["after the year 9999", 253_402_300_800],
  ["after the last date of JavaScript", 8_640_000_000_001],
  ["at the largest integer", Number.MAX_SAFE_INTEGER],
])("a token that ends %s is refused", async (_, exp) => {
  using credentials = new TestCredentials();
  await using server = await startGuardedServer(credentials.env);
  await using client = await Client.connect(server);
  expect(await client.ask({ type: "auth", token: await credentials.token({ exp }) })).toMatchObject({
    type: "error",
    error: { code: "UNAUTHORIZED", message: "The token's claim 'exp' is not a time" },
  });
  expect(server.lines).not.toContainEqual(expect.stringContaining("ERROR"));
});

test("a token without kid, checked with the one key of a JWKS that fits, is not revoked while that key is there", async () => {
  using signers = await TokenSigners.open();
  const signer = signers.known.find(({ kid }) => kid === "ed");
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 600;
  const text = `${encode({ alg: "EdDSA" })}.${encode({ iss: ISSUER, aud: AUDIENCE, sub: "device", exp })}`;
  const token = `${text}.${signer?.sign(text).toString("base64url")}`;
  const grant = await signers.auth.check({ text: token, from: "frame" });
  expect(signers.auth.current(grant)).toBe(grant);
});
