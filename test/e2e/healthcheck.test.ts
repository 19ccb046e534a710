import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, constants } from "node:fs";
import { join } from "node:path";
import { binary, startBinary } from "../support/binary.ts";
import { makeCertificate } from "../support/certificates.ts";
import { freePort, tempFolder } from "../support/proxies.ts";

/** An executable of this file's own: `healthcheck` looks for servers that run from the very same one. */
const folder = tempFolder();
const own = join(folder.path, "pubsub");
beforeAll(() => copyFileSync(binary(), own, constants.COPYFILE_FICLONE));
afterAll(() => folder[Symbol.dispose]());

const start = (env: Record<string, string> = {}, flags: string[] = []) =>
  startBinary(env, undefined, () => [own, ...flags]);

async function check(flags: string[] = [], env: Record<string, string> = {}) {
  const child = Bun.spawn([own, "healthcheck", ...flags], {
    env: { HOST: "127.0.0.1", ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const complaint = await child.stderr.text();
  return { exitCode: await child.exited, complaint };
}

const WELL = { exitCode: 0, complaint: "" };

describe("healthcheck", () => {
  test("asks the server itself, whatever proxy the environment names", async () => {
    let asked = 0;
    const proxy = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(`request ${++asked}`) });
    await using server = await start();
    for (const name of ["HTTP_PROXY", "http_proxy"]) {
      for (const more of [{}, { NO_PROXY: "example.com" }, { no_proxy: "example.com" }]) {
        const env = { [name]: proxy.url.origin, ...more };
        expect(await check([], { PORT: String(server.port), ...env }), JSON.stringify(env)).toEqual(WELL);
        // Nor is the proxy's answer taken for that of a server that is not there.
        const dead = await check([`--port=${freePort()}`], env);
        expect(dead, JSON.stringify(env)).toMatchObject({ exitCode: 1 });
      }
    }
    expect(asked).toBe(0);
    await proxy.stop(true);
  });

  test("asks a server that speaks TLS, whether or not it is told so", async () => {
    const { cert, key } = await makeCertificate(folder.path, "tls");
    const tls = { TLS_CERT_FILE: cert, TLS_KEY_FILE: key };
    const port = String(freePort());
    const server = Bun.spawn([own], { env: { HOST: "127.0.0.1", PORT: port, ...tls }, stdout: "pipe" });
    await server.stdout.getReader().read();
    expect(await check([], { PORT: port, ...tls })).toEqual(WELL);
    expect(await check([], { PORT: port })).toEqual(WELL);
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    expect((await check([], { PORT: port, ...tls })).complaint).toStartWith(
      `https://127.0.0.1:${port}/readyz does not`,
    );
  });

  test("finds a server whose port was set by a flag", async () => {
    await using server = await start({}, [`--port=${freePort()}`]);
    expect(await check()).toEqual(WELL);
    expect(await check([`--port=${server.port}`])).toEqual(WELL);
  });

  test("finds a server whose port was set by PORT, as it is set for both", async () => {
    const env = { PORT: String(freePort()) };
    await using server = await start(env);
    expect(String(server.port)).toBe(env.PORT);
    expect(await check([], env)).toEqual(WELL);
  });

  test("finds a server that chose a free port by itself", async () => {
    await using _server = await start({ PORT: "0" });
    expect(await check([], { PORT: "0" })).toEqual(WELL);
  });

  test("asks the port that was asked for, though the one server listens on another", async () => {
    await using _server = await start();
    const { exitCode, complaint } = await check([`--port=${freePort()}`]);
    expect([exitCode, complaint]).toEqual([1, expect.stringContaining("does not answer")]);
  });

  test("of two servers asks the one that it is set for, and none where that is neither", async () => {
    await using first = await start();
    await using second = await start();
    for (const { port } of [first, second]) {
      expect(await check([], { PORT: String(port) })).toEqual(WELL);
      expect(await check([`--port=${port}`])).toEqual(WELL);
    }
    const PORT = String(freePort());
    const { exitCode, complaint } = await check([], { PORT });
    expect([exitCode, complaint]).toEqual([1, expect.stringContaining(`:${PORT}/readyz does not answer`)]);
  });

  test("asks the one of two servers whose port it is set for, once the other has ended", async () => {
    await using first = await start();
    const second = await start();
    await second[Symbol.asyncDispose]();
    expect(await check([], { PORT: String(first.port) })).toEqual(WELL);
    expect((await check([`--port=${second.port}`])).exitCode).toBe(1);
  });
});
