import { describe, expect, test } from "bun:test";
import { brotliCompressSync } from "node:zlib";
import { problemOf } from "../support/answers.ts";
import { startTestServer, stats } from "../support/server.ts";

const routes = [
  { path: "/topics", body: `{"name":"new"}`, done: 201 },
  { path: "/topics/t/messages", body: `{"payload":1}`, done: 200 },
];

const NOTHING = { t: { messages: 0, subscribers: 0 } };

describe.each(routes)("POST $path of a body with a Content-Encoding", ({ path, body, done }) => {
  test.each([
    ["gzip", Bun.gzipSync(body)],
    ["GZip", Bun.gzipSync(body)],
    ["br", Buffer.from(brotliCompressSync(body))],
    ["deflate", Bun.deflateSync(body)],
    ["gzip, identity", Bun.gzipSync(body)],
    ["x-unknown", Buffer.from(body)],
  ])("%s answers 415, naming it, and does nothing", async (encoding, bytes) => {
    await using server = startTestServer({ TOPICS: "t" });
    const headers = { "content-encoding": encoding };
    const problem = await problemOf(await fetch(server.url + path, { method: "POST", body: bytes, headers }));
    expect(problem).toMatchObject({ status: 415, title: "Unsupported Media Type", code: "UNSUPPORTED_ENCODING" });
    expect(problem.detail).toContain(`Content-Encoding '${encoding}'`);
    expect(await stats(server)).toEqual(NOTHING);
  });

  test.each(["identity", "Identity"])("%s is read as it is", async (encoding) => {
    await using server = startTestServer({ TOPICS: "t" });
    const headers = { "content-encoding": encoding };
    expect((await fetch(server.url + path, { method: "POST", body, headers })).status).toBe(done);
  });

  test("that is very long is named in part", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    const headers = { "content-encoding": "x".repeat(5000) };
    const { status, detail } = await problemOf(await fetch(server.url + path, { method: "POST", body, headers }));
    expect(status).toBe(415);
    expect(detail.length).toBeLessThan(300);
  });
});
