import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestCredentials } from "../support/credentials.ts";
import { LateEngine } from "../support/late-engine.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { startGuardedServer, startTestServer } from "../support/server.ts";

const RUNTIMES: Record<string, string[]> = {
  Bun: [process.execPath],
  ...(Bun.which("node") !== null && { Node: ["node", "--experimental-websocket", "--no-warnings"] }),
};

/** Runs `closing.ts` to its end. It must come by itself. */
async function close(runtime: string, ...args: string[]): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), "pubsub-closing-"));
  try {
    const built = await Bun.build({
      entrypoints: [join(import.meta.dir, "closing.ts")],
      target: "node",
      format: "esm",
      outdir: folder,
      naming: "closing.mjs",
    });
    if (!built.success) throw new Error("Cannot bundle");
    const child = Bun.spawn([...(RUNTIMES[runtime] ?? []), join(folder, "closing.mjs"), ...args], {
      stderr: "inherit",
    });
    const text = await child.stdout.text();
    expect(await child.exited).toBe(0);
    return JSON.parse(text);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const LEFT = { state: "closed", subscription: "ended", closed: null, listeners: 0, errors: [] };

describe.each(Object.keys(RUNTIMES))("in %s, a client leaves nothing behind that is closed", (runtime) => {
  test("at once", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    expect(await close(runtime, "at once", server.url)).toEqual({
      ...LEFT,
      before: "closed",
      publishing: "CLOSED",
      flushing: "resolved",
    });
  });

  test("while it connects to a server that does not answer", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    expect(await close(runtime, "while it connects", `http://127.0.0.1:${silent.port}`)).toEqual({
      ...LEFT,
      before: "connecting",
      publishing: "CLOSED",
      flushing: "resolved",
    });
    silent.stop(true);
  });

  test("while it waits to try again", async () => {
    const gone = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    gone.stop(true);
    expect(await close(runtime, "while it waits", `http://127.0.0.1:${gone.port}`)).toMatchObject({
      ...LEFT,
      publishing: "CLOSED",
      flushing: "resolved",
    });
  });

  test("while its first token is fetched", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    expect(await close(runtime, "while its first token is fetched", server.url)).toEqual({
      ...LEFT,
      before: "connecting",
      publishing: "CLOSED",
      flushing: "resolved",
    });
  });

  test("while its token is renewed", async () => {
    using credentials = new TestCredentials();
    await using server = await startGuardedServer({ ...credentials.env, TOPICS: "t" });
    const exp = Math.floor(Date.now() / 1000) + 2;
    expect(await close(runtime, "while its token is renewed", server.url, await credentials.token({ exp }))).toEqual({
      ...LEFT,
      before: "connected",
      publishing: "resolved",
      flushing: "resolved",
    });
  });

  test("once it is connected", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    expect(await close(runtime, "once it is connected", server.url)).toEqual({
      ...LEFT,
      before: "connected",
      publishing: "resolved",
      flushing: "resolved",
    });
  });

  test("while it repairs a gap, and history cannot be reached", async () => {
    await using server = startTestServer({ TOPICS: "t,u" });
    expect(await close(runtime, "while it repairs", server.url)).toEqual({
      ...LEFT,
      before: "connected",
      publishing: "resolved",
      flushing: "resolved",
    });
  });

  test("while what it asked for waits until Redis is back", async () => {
    await using server = startTestServer({}, (memory) => new LateEngine(memory, new Random(seedOfRun()), 1));
    expect(await close(runtime, "while Redis is away", server.url)).toEqual({
      ...LEFT,
      before: "connected",
      publishing: "CLOSED",
      flushing: "resolved",
      errors: ["PubSubError: The engine cannot be reached"],
    });
  });

  test("while what it has published waits for an ack that does not come", async () => {
    // Past the handshake, this server says nothing.
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Promise<Response>(() => {})),
      websocket: { message: () => {} },
    });
    expect(await close(runtime, "while it flushes", String(server.url))).toEqual({
      ...LEFT,
      before: "connected",
      publishing: "CLOSED",
      flushing: "resolved",
    });
    await server.stop(true);
  });
});
