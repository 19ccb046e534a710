import { expect, test } from "bun:test";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate, shownBy } from "../support/certificates.ts";
import { tempFolder } from "../support/proxies.ts";
import { startGuardedServer } from "../support/server.ts";

/** A server that speaks TLS, by files that may be replaced. */
async function setUp(env: Record<string, string> = {}) {
  const folder = tempFolder();
  const pairs = {
    first: await makeCertificate(folder.path, "first"),
    second: await makeCertificate(folder.path, "second"),
  };
  const files = { TLS_CERT_FILE: join(folder.path, "now.crt"), TLS_KEY_FILE: join(folder.path, "now.key") };
  const use = ({ cert, key }: { cert: string; key: string }) => {
    copyFileSync(cert, files.TLS_CERT_FILE);
    copyFileSync(key, files.TLS_KEY_FILE);
  };
  use(pairs.first);
  const server = await startGuardedServer({ ...files, TOPICS: "t", ...env });
  const dispose = async () => {
    await server.stop();
    folder[Symbol.dispose]();
  };
  const ca = [pairs.first, pairs.second].map(({ cert }) => readFileSync(cert, "utf8"));
  return { server, files, pairs, use, tls: { ca }, [Symbol.asyncDispose]: dispose };
}

test("https and wss on the one port, and no plain HTTP", async () => {
  await using stage = await setUp();
  const { server, tls } = stage;
  expect(server.url).toStartWith("https://127.0.0.1:");
  const answer = await fetch(`${server.url}/topics`, { tls });
  expect(await answer.json()).toEqual({ topics: [{ name: "t", subscribers: 0 }] });
  const socket = new WebSocket(server.wsUrl, { tls });
  const frames: string[] = [];
  socket.onmessage = ({ data }) => void frames.push(String(data));
  socket.onopen = () => socket.send(JSON.stringify({ type: "ping" }));
  while (frames.length === 0) await Bun.sleep(1);
  expect(frames[0]).toContain('"pong"');
  socket.close();
  expect(fetch(server.url.replace("https", "http"))).rejects.toThrow();
});

test("a renewed pair is shown to new connections, and the old ones live on, heartbeats and all", async () => {
  await using stage = await setUp({ HEARTBEAT_INTERVAL_MS: "20" });
  const { server, tls, pairs, use } = stage;
  const socket = new WebSocket(server.wsUrl, { tls });
  const frames: string[] = [];
  socket.onmessage = ({ data }) => void frames.push(String(data));
  socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", topic: "t", client_id: "me" }));
  while (frames.length === 0) await Bun.sleep(1);
  expect(await shownBy(server)).toBe("first");
  use(pairs.second);
  await server.reload();
  expect(await shownBy(server)).toBe("second");
  frames.length = 0;
  await fetch(`${server.url}/topics/t/messages`, { method: "POST", body: `{"payload":1}`, tls });
  while (!frames.some((text) => text.includes('"event"'))) await Bun.sleep(1);
  frames.length = 0;
  while (!frames.some((text) => text.includes('"ping"'))) await Bun.sleep(1);
  expect(socket.readyState).toBe(WebSocket.OPEN);
  expect(server.lines).toEqual([]);
  socket.close();
});

test("a pair that cannot be used is named at the start, and changes nothing later", async () => {
  await using stage = await setUp();
  const { server, files, pairs } = stage;
  const started = (own: Record<string, string>) => startGuardedServer({ ...files, ...own });
  expect(started({ TLS_KEY_FILE: pairs.second.key })).rejects.toThrow(
    "TLS_KEY_FILE cannot be used: it is not the key of the certificate in TLS_CERT_FILE",
  );
  expect(started({ TLS_CERT_FILE: pairs.second.key })).rejects.toThrow("TLS_CERT_FILE cannot be used");
  expect(started({ TLS_KEY_FILE: "/nowhere" })).rejects.toThrow("TLS_KEY_FILE cannot be used");
  expect(startGuardedServer({ TLS_CERT_FILE: files.TLS_CERT_FILE })).rejects.toThrow("TLS_KEY_FILE must be set");
  writeFileSync(files.TLS_KEY_FILE, readFileSync(pairs.second.key));
  await server.reload();
  expect(server.lines).toEqual([expect.stringContaining("certificate and key stay as they were")]);
  expect(await shownBy(server)).toBe("first");
});

test("a file whose later part is broken changes nothing: the port is served on with the old pair", async () => {
  await using stage = await setUp();
  const { server, files, tls } = stage;
  const good = readFileSync(files.TLS_CERT_FILE, "utf8");
  writeFileSync(files.TLS_CERT_FILE, `${good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`);
  await server.reload();
  expect(server.lines).toEqual([expect.stringContaining("certificate and key stay as they were")]);
  expect((await fetch(`${server.url}/livez`, { tls })).status).toBe(200);
  expect(startGuardedServer(files)).rejects.toThrow("TLS_CERT_FILE cannot be used");
});
