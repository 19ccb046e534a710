import { expect, setSystemTime, test } from "bun:test";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from "jose";
import { CLOSE } from "../../src/protocol/codes.ts";
import { Client } from "../support/client.ts";
import { problemOf } from "../support/answers.ts";
import { declareForeign } from "../support/contract.ts";
import { startGuardedServer } from "../support/server.ts";

/** A server of keys, which shows those that it is given. */
async function startKeyServer() {
  const shown = new Map<string, object>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => Response.json({ keys: [...shown.values()] }),
  });
  const foreign = declareForeign(String(server.url));
  const make = async (kid: string) => {
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    shown.set(kid, { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" });
    return privateKey;
  };
  const dispose = async () => {
    await server.stop(true);
    foreign[Symbol.dispose]();
  };
  return { url: String(server.url), shown, make, [Symbol.asyncDispose]: dispose };
}

function tokenBy(key: CryptoKey, kid?: string): Promise<string> {
  return new SignJWT({ sub: "alice", pubsub: { subscribe: ["*"], publish: ["*"] } })
    .setProtectedHeader({ alg: "ES256", ...(kid !== undefined && { kid }) })
    .setExpirationTime("10m")
    .sign(key);
}

test("a key set lets in the tokens of its keys, and after SIGHUP those of a key that is gone no longer", async () => {
  await using keys = await startKeyServer();
  const [first, second] = [await keys.make("first"), await keys.make("second")];
  await using server = await startGuardedServer({ JWT_JWKS_URL: keys.url, TOPICS: "t" });
  const connect = (token: string) => Client.connect(server, { authorization: `Bearer ${token}` });
  await using one = await connect(await tokenBy(first, "first"));
  await using two = await connect(await tokenBy(second, "second"));
  for (const client of [one, two]) expect((await client.ask({ type: "ping" })).type).toBe("pong");
  expect(connect(await tokenBy(first, "second"))).rejects.toThrow();
  expect(connect(await tokenBy(first, "third"))).rejects.toThrow();
  keys.shown.delete("first");
  await server.reload();
  expect(await one.closed).toEqual(CLOSE.unauthorized);
  expect((await two.ask({ type: "ping" })).type).toBe("pong");
  expect(connect(await tokenBy(first, "first"))).rejects.toThrow();
});

test("a key set that cannot be had is named at the start, and changes nothing later", async () => {
  const keys = await startKeyServer();
  const key = await keys.make("only");
  await using server = await startGuardedServer({ JWT_JWKS_URL: keys.url, TOPICS: "t" });
  await keys[Symbol.asyncDispose]();
  expect(startGuardedServer({ JWT_JWKS_URL: keys.url })).rejects.toThrow("JWT_JWKS_URL cannot be used");
  expect(startGuardedServer({ JWT_JWKS_URL: "nonsense" })).rejects.toThrow("JWT_JWKS_URL cannot be used");
  await server.reload();
  expect(server.lines).toEqual([expect.stringContaining("the keys of tokens stay as they were")]);
  await using client = await Client.connect(server, { authorization: `Bearer ${await tokenBy(key, "only")}` });
  expect((await client.ask({ type: "ping" })).type).toBe("pong");
});

test("while a key set is away, whether a token of a key that is not known is good cannot be told", async () => {
  const keys = await startKeyServer();
  const key = await keys.make("only");
  await using server = await startGuardedServer({ JWT_JWKS_URL: keys.url, TOPICS: "t", LOG_LEVEL: "warn" });
  await keys[Symbol.asyncDispose]();
  // Keys are not asked for again sooner.
  setSystemTime(Date.now() + 31_000);
  using _ = { [Symbol.dispose]: () => void setSystemTime() };
  const authorization = `Bearer ${await tokenBy(key, "new")}`;
  const words = "The keys of tokens cannot be fetched now; try again";
  const answer = await fetch(`${server.url}/topics/t/messages`, { headers: { authorization } });
  expect(await problemOf(answer)).toMatchObject({ status: 503, code: "UNAVAILABLE", detail: words });
  await using other = await Client.connect(server);
  const auth = await other.ask({ type: "auth", token: await tokenBy(key, "new") });
  expect(auth.error).toEqual({ code: "UNAVAILABLE", message: words });
  const cause = expect.stringMatching(
    /was refused: unavailable .*address=127.0.0.1 reason="The keys .* cause=".*ECONNREFUSED/,
  );
  expect(server.lines).toEqual([cause, cause]);
});

test("a key that is another now under the same name ends the connections of the old one; no other SIGHUP ends any", async () => {
  await using keys = await startKeyServer();
  const old = await keys.make("only");
  await using server = await startGuardedServer({ JWT_JWKS_URL: keys.url, TOPICS: "t" });
  const connect = async (kid?: string) =>
    Client.connect(server, { authorization: `Bearer ${await tokenBy(old, kid)}` });
  await using named = await connect("only");
  await using nameless = await connect();
  await server.reload();
  for (const client of [named, nameless]) expect((await client.ask({ type: "ping" })).type).toBe("pong");
  await keys.make("only");
  await server.reload();
  for (const client of [named, nameless]) expect(await client.closed).toEqual(CLOSE.unauthorized);
});

test("a key set lets in no token that is not quite its own, wherever it is shown", async () => {
  await using keys = await startKeyServer();
  const key = await keys.make("known");
  const foreign = (await generateKeyPair("ES256")).privateKey;
  const good = await tokenBy(key, "known");
  const [head = "", body = "", signature = ""] = good.split(".");
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub: "alice", exp: Math.floor(Date.now() / 1000) + 600, pubsub: { subscribe: ["*"] } };
  // The public key, as whoever reads the key set has it.
  const publicText = JSON.stringify([...keys.shown.values()][0]);
  const hmacHead = `${encode({ alg: "HS256", kid: "known" })}.${encode(claims)}`;
  const bad = {
    "of an unknown kid": await tokenBy(key, "unknown"),
    "of a foreign key under a known kid": await tokenBy(foreign, "known"),
    "of no algorithm": `${encode({ alg: "none", kid: "known" })}.${body}.`,
    "signed with the public key as a secret": `${hmacHead}.${new Bun.CryptoHasher("sha256", publicText).update(hmacHead).digest("base64url")}`,
    tampered: `${head}.${encode({ ...claims, sub: "bob" })}.${signature}`,
    expired: await new SignJWT({ sub: "alice", pubsub: { subscribe: ["*"] } })
      .setProtectedHeader({ alg: "ES256", kid: "known" })
      .setExpirationTime(Math.floor(Date.now() / 1000) - 60)
      .sign(key),
  };
  await using server = await startGuardedServer({ JWT_JWKS_URL: keys.url, TOPICS: "t" });
  const shownEverywhere = async (token: string) => {
    const header = await fetch(`${server.url}/topics/t/messages`, { headers: { authorization: `Bearer ${token}` } });
    const controller = new AbortController();
    const query = await fetch(`${server.url}/topics/t/events?access_token=${token}`, { signal: controller.signal });
    controller.abort();
    await using client = await Client.connect(server);
    const frame = await client.ask({ type: "auth", token });
    return [header.status, query.status, frame.error?.code ?? frame.type];
  };
  for (const [what, token] of Object.entries(bad)) {
    expect([what, ...(await shownEverywhere(token))]).toEqual([what, 401, 401, "UNAUTHORIZED"]);
  }
  expect(await shownEverywhere(good)).toEqual([200, 200, "ack"]);
});
