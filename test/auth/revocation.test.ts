import { expect, test } from "bun:test";
import { connect } from "node:net";
import { Authenticator } from "../../src/auth/authenticator.ts";
import { KeyRing } from "../../src/auth/keys.ts";
import { Grant } from "../../src/auth/permissions.ts";
import { CLOSE } from "../../src/protocol/codes.ts";
import { Client, ID } from "../support/client.ts";
import { TestCredentials } from "../support/credentials.ts";
import { startGuardedServer } from "../support/server.ts";
import { until } from "../support/stats.ts";

async function setUp(env: Record<string, string> = {}) {
  const credentials = new TestCredentials();
  const server = await startGuardedServer({ ...credentials.env, TOPICS: "t", ...env });
  const dispose = async () => {
    await server.stop();
    credentials[Symbol.dispose]();
  };
  const admin = { authorization: `Bearer ${credentials.keys.all.key}` };
  const seq = async () => {
    const detail: { seq: number } = JSON.parse(
      await (await fetch(`${server.url}/topics/t`, { headers: admin })).text(),
    );
    return detail.seq;
  };
  return { credentials, server, admin, seq, [Symbol.asyncDispose]: dispose };
}

test("a body that comes after its key is gone is not published", async () => {
  await using stage = await setUp();
  const { credentials, server, seq } = stage;
  const body = JSON.stringify({ payload: "x".repeat(1000) });
  const socket = connect(server.port, "127.0.0.1");
  let answer = "";
  socket.on("data", (bytes) => (answer += String(bytes)));
  socket.write(
    `POST /topics/t/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: ${credentials.keys.some.key}\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body.slice(0, 500)}`,
  );
  for (let i = 0; i < 20; i++) await seq();
  credentials.writeKeys(["all"]);
  await server.reload();
  socket.write(body.slice(500));
  await until(async () => answer !== "");
  expect(answer).toStartWith("HTTP/1.1 401 ");
  expect(await seq()).toBe(0);
  socket.destroy();
});

test("a grant that was checked while keys were replaced is checked once more", async () => {
  const permissions = { publish: ["*"], subscribe: ["*"], admin: true };
  const grant = new Grant({ owner: "sub a", issuer: "old", permissions });
  const gate = Promise.withResolvers<void>();
  const tokens = (issuer: string) => ({
    verify: async () => {
      await gate.promise;
      return grant;
    },
    has: (one: Grant) => one.issuer === issuer,
    refresh: async () => {},
  });
  const auth = new Authenticator({ keys: new KeyRing([]), tokens: tokens("old") });
  const checked = auth.check({ text: "a.b.c", from: "header" });
  auth.replace({ tokens: tokens("new") });
  gate.resolve();
  expect(checked).rejects.toMatchObject({ code: "UNAUTHORIZED" });
});

test("several readings at once end with what the files say last, and one broken file keeps no other from being read", async () => {
  await using stage = await setUp();
  const { credentials, server, admin } = stage;
  await using client = await Client.connect(server, { "x-api-key": credentials.keys.some.key });
  credentials.writeKeys(["all"]);
  await Bun.write(credentials.path("secret"), "short");
  await Promise.all([server.reload(), server.reload(), server.reload()]);
  expect(await client.closed).toEqual(CLOSE.unauthorized);
  expect((await fetch(`${server.url}/topics`, { headers: { "x-api-key": credentials.keys.some.key } })).status).toBe(
    401,
  );
  expect((await fetch(`${server.url}/topics`, { headers: admin })).status).toBe(200);
  const token = await credentials.token();
  expect((await fetch(`${server.url}/topics`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
});

test("a stream whose subscription is revoked is closed", async () => {
  await using stage = await setUp();
  const { credentials, server } = stage;
  const { some } = credentials.keys;
  const stream = await fetch(`${server.url}/topics/t/events`, { headers: { "x-api-key": some.key } });
  Object.assign(some.entry, { subscribe: [] });
  credentials.writeKeys(["all", "some"]);
  await server.reload();
  expect(await stream.text()).toContain('"msg":"subscription_revoked"');
});

test("who has shown no credential makes room for who has", async () => {
  await using stage = await setUp({ MAX_CONNECTIONS: "3" });
  const { credentials, server } = stage;
  const strangers = await Promise.all([1, 2, 3].map(() => Client.connect(server)));
  const known = [];
  for (let i = 0; i < 3; i++) {
    const client = await Client.connect(server, { "x-api-key": credentials.keys.some.key });
    expect(await client.ask({ type: "publish", topic: "t", message: { id: ID, payload: i } })).toMatchObject({
      type: "ack",
    });
    known.push(client);
  }
  for (const stranger of strangers) await stranger.closed;
  await using late = await Client.connect(server);
  expect((await late.next()).error?.code).toBe("LIMIT_EXCEEDED");
  for (const client of known) {
    expect((await client.ask({ type: "ping" })).type).toBe("pong");
    await client.close();
  }
});

test("a request that is no request is answered 4xx, and its token stands nowhere", async () => {
  await using stage = await setUp({ LOG_LEVEL: "debug" });
  for (const host of ["a b", "", "x:99999999", "[::"]) {
    const socket = connect(stage.server.port, "127.0.0.1");
    let answer = "";
    socket.on("data", (bytes) => (answer += String(bytes)));
    const fields = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n";
    socket.write(`GET /topics/t/events?access_token=SECRET HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`);
    await until(async () => answer !== "");
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).not.toContain("SECRET");
    socket.destroy();
  }
  expect(stage.server.lines.join("\n")).not.toContain("SECRET");
});
