import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { publishBody, topicDetail } from "../../support/answers.ts";
import { makeCertificate } from "../../support/certificates.ts";
import { Client } from "../../support/client.ts";
import { CuttingProxy } from "../../support/cutting-proxy.ts";
import { tempFolder } from "../../support/proxies.ts";
import { overRedis, RedisServer, withoutRedis } from "../../support/redis.ts";
import { startTestServer } from "../../support/server.ts";
import { until } from "../../support/stats.ts";

describe.skipIf(withoutRedis)("the line to Redis", () => {
  test("is encrypted with rediss, to a server whose certificate ENGINE_CA_FILE knows, and to no other", async () => {
    using folder = tempFolder();
    const { cert, key } = await makeCertificate(folder.path, "redis");
    const other = await makeCertificate(folder.path, "other");
    await using redis = await RedisServer.start();
    const set = (name: string, value: string) => redis.send("CONFIG", ["SET", name, value]);
    for (const [name, value] of [
      ["tls-cert-file", cert],
      ["tls-key-file", key],
      ["tls-ca-cert-file", cert],
      ["tls-auth-clients", "no"],
    ] as const) {
      await set(name, value);
    }
    const port = await redis.listenWithTls();
    const ENGINE = `rediss://127.0.0.1:${port}`;
    await using node = startTestServer({ ENGINE, ENGINE_CA_FILE: cert, TOPICS: "t" });
    expect(await publishBody(node, "t", { payload: 1 })).toMatchObject({ seq: 1 });
    for (const env of [{ ENGINE_CA_FILE: other.cert }, {}]) {
      await using stranger = startTestServer({ ENGINE, LOG_LEVEL: "info", ...env });
      await until(async () => stranger.lines.some((line) => /cannot be reached/.test(line)));
      expect((await fetch(`${stranger.url}/readyz`)).status).toBe(503);
    }
  });

  test("may lead to any database, and what is in one is not in another", async () => {
    await using redis = await RedisServer.start();
    const at = (database: number) =>
      startTestServer({ ENGINE: `${redis.url}/${database}`, AUTO_CREATE_TOPICS: "true" });
    await using one = at(1);
    await using two = at(2);
    await using client = await Client.connect(two);
    await client.subscribe("t", "me");
    await publishBody(one, "t", { payload: "one" });
    await publishBody(two, "t", { payload: "two" });
    expect(await client.next()).toMatchObject({ seq: 1, message: { payload: "two" } });
  });

  test("of a node that does not answer leaves it out of a topic's detail, which says so", async () => {
    const redis = overRedis();
    const shared = { ...redis, TOPICS: "t" };
    await using one = startTestServer(shared);
    using line = new CuttingProxy({ port: Number(new URL(redis.ENGINE).port) });
    const two = startTestServer({ ...shared, ENGINE: `redis://127.0.0.1:${line.port}` });
    await using client = await Client.connect(two);
    await client.subscribe("t", "me");
    expect((await topicDetail(one, "t")).unanswered).toBeUndefined();
    // What it says does not reach Redis any more, and Redis does not know yet.
    line.hold();
    const detail = await topicDetail(one, "t");
    expect(detail).toMatchObject({ unanswered: 1, subscribers: [], subscribers_total: 0 });
    line.cut();
    await two.stop();
  });
});

describe.skipIf(withoutRedis)("REUSE_PORT", () => {
  test("lets several servers share a port over one Redis", async () => {
    const shared = { ...overRedis(), TOPICS: "t", REUSE_PORT: "true" };
    await using one = startTestServer(shared);
    await using two = startTestServer({ ...shared, PORT: String(one.port) });
    expect(two.port).toBe(one.port);
    const clients = await Promise.all(Array.from({ length: 20 }, () => Client.connect(one)));
    for (const [index, client] of clients.entries()) await client.subscribe("t", `c${index}`);
    await publishBody(two, "t", { payload: "to all" });
    for (const client of clients) {
      expect(await client.next()).toMatchObject({ seq: 1, message: { payload: "to all" } });
      await client.close();
    }
  });
});

test("a folder of certificates that is not there is named", async () => {
  const ENGINE_CA_FILE = join("/nowhere", "ca.pem");
  expect(() => startTestServer({ ENGINE: "rediss://127.0.0.1:1", ENGINE_CA_FILE })).toThrow("ENGINE_CA_FILE");
});
