import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { CLOSE } from "../../src/protocol/codes.ts";
import { Client, ID } from "../support/client.ts";
import { RawClient } from "../support/raw-client.ts";
import { TestCredentials } from "../support/credentials.ts";
import { startGuardedServer } from "../support/server.ts";
import { topicDetail } from "../support/answers.ts";

const seconds = (n: number) => Math.floor(Date.now() / 1000) + n;

async function setUp(env: Record<string, string> = {}) {
  const credentials = new TestCredentials();
  const server = await startGuardedServer({ ...credentials.env, TOPICS: "t,other", ...env });
  const connect = (text: string) => Client.connect(server, { authorization: `Bearer ${text}` });
  const dispose = async () => {
    await server.stop();
    credentials[Symbol.dispose]();
  };
  return { credentials, server, connect, [Symbol.asyncDispose]: dispose };
}

describe("a token", () => {
  test("that is renewed in time keeps subscriptions and their positions", async () => {
    await using stage = await setUp();
    const { credentials, server } = stage;
    await using client = await Client.connect(server);
    await client.ask({ type: "auth", token: await credentials.token({ exp: seconds(2) }) });
    await client.subscribe("t", "me");
    const renewed = await client.ask({ type: "auth", token: await credentials.token({ exp: seconds(600) }) });
    expect(renewed).toMatchObject({ type: "ack", status: "ok" });
    expect(renewed).not.toHaveProperty("revoked");
    await client.publish("t", 1);
    expect((await client.next()).type).toBe("event");
  });

  test("that allows less ends what it does not allow, and says so", async () => {
    await using stage = await setUp();
    const { credentials, server } = stage;
    await using client = await Client.connect(server);
    await client.ask({ type: "auth", token: await credentials.token({}, { subscribe: ["*"], publish: ["*"] }) });
    for (const topic of ["t", "other"]) await client.subscribe(topic, "me");
    client.send({ type: "auth", token: await credentials.token({}, { subscribe: ["t"], publish: ["t"] }) });
    const [info, ack] = await client.take(2);
    expect(info).toMatchObject({ type: "info", msg: "subscription_revoked", topic: "other" });
    expect(ack).toMatchObject({ type: "ack", revoked: ["other"] });
    await client.publish("t", 1);
    expect((await client.next()).topic).toBe("t");
  });

  test("of another subject does not take over the connection", async () => {
    await using stage = await setUp();
    const { credentials, server } = stage;
    await using client = await Client.connect(server);
    await client.ask({ type: "auth", token: await credentials.token() });
    const other = await client.ask({ type: "auth", token: await credentials.token({ sub: "bob" }) });
    expect(other.error?.code).toBe("FORBIDDEN");
    expect((await client.ask({ type: "ping" })).type).toBe("pong");
  });

  test("that ends is told at its end; the connection is closed after the leeway", async () => {
    await using stage = await setUp();
    const { credentials, server } = stage;
    await using client = await Client.connect(server);
    // The leeway of thirty seconds is nearly over already.
    await client.ask({ type: "auth", token: await credentials.token({ exp: seconds(-27) }) });
    expect(await client.next()).toMatchObject({ type: "info", msg: "token_expired" });
    expect(await client.closed).toEqual(CLOSE.unauthorized);
  });

  test("that ends is told at its end on an event stream, too, which then ends", async () => {
    await using stage = await setUp();
    const { credentials, server } = stage;
    const authorization = `Bearer ${await credentials.token({ exp: seconds(-27) })}`;
    const stream = await fetch(`${server.url}/topics/t/events`, { headers: { authorization } });
    expect(await stream.text()).toMatch(/event: info\ndata: \{"type":"info","msg":"token_expired"/);
  });
});

test("a WebSocket that shows no credential in time is told, and closed", async () => {
  await using stage = await setUp({ AUTH_TIMEOUT_MS: "50" });
  await using client = await Client.connect(stage.server);
  const frame = await client.next();
  expect(frame.error).toEqual({ code: "UNAUTHORIZED", message: "No credential was shown within AUTH_TIMEOUT_MS" });
  expect(await client.closed).toEqual(CLOSE.unauthorized);
});

test("a client_id is taken over by its own credential, and by no other", async () => {
  await using stage = await setUp();
  const { credentials, server } = stage;
  await using first = await stage.connect(await credentials.token());
  await first.subscribe("t", "me");
  await using stranger = await stage.connect(credentials.keys.some.key);
  const refused = await stranger.ask({ type: "subscribe", topic: "t", client_id: "me" });
  expect(refused.error?.code).toBe("FORBIDDEN");
  await using again = await stage.connect(await credentials.token({ exp: seconds(60) }));
  await again.subscribe("t", "me");
  expect(await first.next()).toMatchObject({ type: "info", msg: "subscription_replaced" });
  expect(server.lines).toEqual([]);
});

describe("when keys are read again,", () => {
  test("one that is gone loses a connection that never answers a ping, just as soon", async () => {
    await using stage = await setUp();
    const { credentials, server } = stage;
    const authorization = `Bearer ${credentials.keys.all.key}`;
    const [revoked, other] = [await RawClient.connect(server), await RawClient.connect(server)];
    revoked.send({ type: "auth", token: credentials.keys.some.key });
    other.send({ type: "auth", token: credentials.keys.all.key });
    other.send({ type: "subscribe", topic: "t", client_id: "other" });
    await other.readUntil(({ length }) => length === 2);
    await revoked.readUntil(({ length }) => length === 1);
    // This one is waited for, until it is sure to have read why.
    await fetch(`${server.url}/topics/t`, { method: "DELETE", headers: { authorization } });
    const otherEnds = other.readUntil(() => other.close !== undefined);
    credentials.writeKeys(["all"]);
    await server.reload();
    await revoked.readUntil(() => revoked.close !== undefined);
    expect([revoked.close, other.close]).toEqual([CLOSE.unauthorized, undefined]);
    for (const raw of [revoked, other]) raw.cut();
    await otherEnds;
  });

  test("one that is gone loses its connections, and one that allows less its subscriptions", async () => {
    await using stage = await setUp();
    const { credentials, server } = stage;
    const { all, some } = credentials.keys;
    await using gone = await stage.connect(some.key);
    await using less = await stage.connect(all.key);
    await using token = await stage.connect(await credentials.token());
    for (const client of [gone, token]) await client.subscribe("t", client === gone ? "gone" : "token");
    for (const topic of ["t", "other"]) await less.subscribe(topic, "less");
    Object.assign(all.entry, { subscribe: ["other"] });
    credentials.writeKeys(["all"]);
    await server.reload();
    expect(await gone.closed).toEqual(CLOSE.unauthorized);
    expect(await less.next()).toMatchObject({ msg: "subscription_revoked", topic: "t" });
    expect((await token.ask({ type: "ping" })).type).toBe("pong");
    const headers = { authorization: `Bearer ${all.key}` };
    const detail = await fetch(`${server.url}/topics/t`, { headers });
    expect(await detail.json()).toMatchObject({ subscribers: [{ client_id: "token" }] });
    expect(() => topicDetail(server, "t")).toThrow();
  });

  test("those of a secret that is another now lose their connections", async () => {
    await using stage = await setUp();
    const { credentials, server } = stage;
    await using old = await stage.connect(await credentials.token());
    await using other = await stage.connect(await credentials.signed());
    writeFileSync(credentials.path("secret"), "another secret of more than thirty-two bytes");
    await server.reload();
    expect(await old.closed).toEqual(CLOSE.unauthorized);
    expect((await other.ask({ type: "ping" })).type).toBe("pong");
    expect(stage.connect(await credentials.token())).rejects.toThrow();
  });

  test.each([
    ["keys.json", "{"],
    ["keys.json", `{"keys":[{"name":"a"}]}`],
    ["secret", "short"],
    ["public.pem", "nonsense"],
  ])("a broken %s changes nothing, and the log says why", async (file, text) => {
    await using stage = await setUp();
    const { credentials, server } = stage;
    await using client = await stage.connect(credentials.keys.some.key);
    writeFileSync(credentials.path(file), text);
    await server.reload();
    expect(server.lines.splice(0)).toEqual([expect.stringContaining("stay as they were: they cannot be read again")]);
    await client.publish("t", 1);
    await using other = await stage.connect(await credentials.token());
    await other.ask({ type: "publish", topic: "t", message: { id: ID, payload: 2 } });
  });
});

test("who shows a wrong credential stands in the log, by address and reason, without the credential", async () => {
  await using stage = await setUp({ LOG_LEVEL: "warn" });
  const { server } = stage;
  server.lines.length = 0;
  await fetch(`${server.url}/topics`, { headers: { authorization: "Bearer psk_guess" } });
  await using client = await Client.connect(server);
  await client.ask({ type: "auth", token: "psk_guess" });
  expect(server.lines).toEqual([
    expect.stringMatching(
      /WARN +an HTTP request was refused: unauthorized address=127\.0\.0\.1 reason="The key is not/,
    ),
    expect.stringMatching(/WARN +a frame was refused: unauthorized transport=websocket address=127\.0\.0\.1 reason=/),
  ]);
  expect(server.lines.join()).not.toContain("guess");
});

test("a file that has the key itself in it is refused without a word of the key, at the start and later", async () => {
  await using stage = await setUp();
  const { credentials, server } = stage;
  const { key, entry } = credentials.keys.some;
  writeFileSync(credentials.path("keys.json"), `${key}\n\n${JSON.stringify({ keys: [entry] })}`);
  const start = await startGuardedServer(credentials.env).catch(String);
  expect(String(start)).toContain("API_KEYS_FILE cannot be used: it is not JSON");
  expect(String(start)).not.toContain(key);
  await server.reload();
  expect(server.lines.splice(0)).toEqual([expect.stringContaining("keys stay as they were")]);
  await server.reload();
  expect(server.lines.join()).not.toContain(key);
});
