import { beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json";
import { binary, runBinary, startBinary } from "../support/binary.ts";
import { Client } from "../support/client.ts";
import { createTopic } from "../support/server.ts";

beforeAll(() => void binary());

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`the executable says goodbye on ${signal} and exits 0`, async () => {
    await using server = await startBinary();
    await createTopic(server, "t");
    const client = await Client.connect(server);
    await client.subscribe("t", "me");
    server.process.kill(signal);
    expect(await client.next()).toMatchObject({ type: "info", msg: "topic_deleted", topic: "t" });
    expect(await client.next()).toMatchObject({ type: "info", msg: "server_shutdown" });
    expect(await client.closed).toMatchObject({ code: 1001 });
    expect(await server.process.exited).toBe(0);
  });
}

test("a second signal ends the executable at once, whoever is still being waited for", async () => {
  await using server = await startBinary({ SHUTDOWN_GRACE_MS: "3600000" });
  await createTopic(server, "t");
  const stalled = Bun.spawn(["bun", join(import.meta.dir, "../support/stalled-subscriber.ts"), String(server.port)], {
    stdout: "pipe",
  });
  const ready = await stalled.stdout.getReader().read();
  expect(ready.done).toBe(false);
  await using publisher = await Client.connect(server);
  for (let i = 0; i < 400; i++) await publisher.publish("t", "x".repeat(50_000));
  server.process.kill("SIGTERM");
  expect(await publisher.closed).toMatchObject({ code: 1001 });
  expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
  server.process.kill("SIGTERM");
  expect(await server.process.exited).toBe(1);
  stalled.kill("SIGKILL");
});

test("a bad configuration is named, with exit code 2", async () => {
  const bad = await runBinary(["--max-history", "lots"], { PORT: "eighty" });
  expect(bad.exitCode).toBe(2);
  expect(bad.stderr).toContain("PORT must be a whole number from 0 to 65535, got 'eighty'");
  expect(bad.stderr).toContain("--max-history must be a whole number from 0 to 1000000, got 'lots'");
  const unknown = await runBinary(["--colour"]);
  expect([unknown.exitCode, unknown.stderr]).toEqual([2, expect.stringContaining("--colour")]);
  const command = await runBinary(["serv"]);
  expect([command.exitCode, command.stderr]).toEqual([2, expect.stringContaining("Unknown command 'serv'")]);
});

test("a port in use is one clear line, with exit code 1 and no stack", async () => {
  await using server = await startBinary();
  const second = await runBinary([], { HOST: "127.0.0.1", PORT: String(server.port) });
  expect(second.exitCode).toBe(1);
  expect(second.stderr).toBe(
    `Cannot listen on HOST 127.0.0.1, PORT ${server.port}: the port is in use; choose another with --port or PORT\n`,
  );
});

test("--version and --help answer and exit 0", async () => {
  expect(await runBinary(["--version"])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: "" });
  const help = await runBinary(["--help"]);
  expect([help.exitCode, help.stdout]).toEqual([0, expect.stringContaining("--max-subscriber-queue")]);
});

test("healthcheck exits 0 beside a server that is ready, and 1 beside none", async () => {
  const server = await startBinary();
  const env = { HOST: "0.0.0.0", PORT: String(server.port) };
  expect(await runBinary(["healthcheck"], env)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  await server[Symbol.asyncDispose]();
  const gone = await runBinary(["healthcheck"], env);
  expect([gone.exitCode, gone.stderr]).toEqual([1, expect.stringContaining("does not answer")]);
});

test("nothing that lies where the executable is started changes it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "pubsub-cwd-"));
  writeFileSync(join(folder, ".env"), "MAX_HISTORY=nonsense\n");
  writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
  writeFileSync(join(folder, "evil.ts"), 'console.log("evil"); process.exit(66);\n');
  try {
    await using server = await startBinary({}, folder);
    expect((await fetch(`${server.url}/livez`)).status).toBe(200);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a client killed in the middle of a frame is gone from the counts", async () => {
  await using server = await startBinary();
  await createTopic(server, "t");
  const victim = Bun.spawn(["bun", join(import.meta.dir, "../support/stalled-subscriber.ts"), String(server.port)], {
    stdout: "pipe",
  });
  await victim.stdout.getReader().read();
  victim.kill("SIGKILL");
  await victim.exited;
  await using client = await Client.connect(server);
  const subscribers = async () => (await fetch(`${server.url}/topics`)).text();
  while (!(await subscribers()).includes('"subscribers":0')) await client.settle();
});

test("the executable goes on when nobody reads its log any more, and still says goodbye", async () => {
  await using server = await startBinary({ LOG_LEVEL: "debug" });
  await server.process.stdout.cancel();
  await createTopic(server, "t");
  const client = await Client.connect(server);
  await client.subscribe("t", "me");
  server.process.kill("SIGTERM");
  expect(await client.next()).toMatchObject({ msg: "topic_deleted" });
  expect(await client.next()).toMatchObject({ msg: "server_shutdown" });
  expect(await server.process.exited).toBe(0);
});
