import { expect, test } from "bun:test";
import { startTestServer } from "../support/server.ts";

/** What a page may be asked to load before it can show anything. */
const MOST_GZIPPED_BYTES = 9000;

test("GET /client.js is the client library as an ES module, small enough for any page", async () => {
  await using server = startTestServer({ TOPICS: "t" });
  const response = await fetch(`${server.url}/client.js`, {
    headers: { "accept-encoding": "gzip" },
    decompress: false,
  });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/javascript;charset=utf-8");
  expect(response.headers.get("content-encoding")).toBe("gzip");
  const zipped = new Uint8Array(await response.arrayBuffer());
  expect(zipped.length).toBeLessThanOrEqual(MOST_GZIPPED_BYTES);
  const script = new TextDecoder().decode(Bun.gunzipSync(zipped));
  const plain = await fetch(`${server.url}/client.js`, { headers: { "accept-encoding": "identity" } });
  expect(plain.headers.get("content-encoding")).toBeNull();
  expect(await plain.text()).toBe(script);
  expect(new Bun.Transpiler({ loader: "js" }).scan(script).exports.sort()).toEqual(["PubSubError", "connect"]);
});

test("GET /client.js is not sent again to who has it, and is let in without a credential from any allowed page", async () => {
  await using server = startTestServer({ ALLOWED_ORIGINS: "https://app.example" });
  const origin = { origin: "https://app.example" };
  const first = await fetch(`${server.url}/client.js`, { headers: origin });
  expect(first.headers.get("access-control-allow-origin")).toBe("https://app.example");
  const etag = first.headers.get("etag") ?? "";
  const again = await fetch(`${server.url}/client.js`, { headers: { "if-none-match": etag } });
  expect(again.status).toBe(304);
  const foreign = await fetch(`${server.url}/client.js`, { headers: { origin: "https://evil.example" } });
  expect(foreign.status).toBe(403);
});

test.each([
  ["gzip", "gzip"],
  ["deflate, gzip;q=0.5", "gzip"],
  ["gzip;q=0, identity", null],
  ["gzip; q=0.000", null],
  ["identity", null],
])("GET /client.js to a client that takes %s comes as %p, with a tag of its own", async (takes, encoding) => {
  await using server = startTestServer();
  const headers = { "accept-encoding": takes };
  const { headers: shown } = await fetch(`${server.url}/client.js`, { headers, decompress: false });
  expect(shown.get("content-encoding")).toBe(encoding);
  const etag = shown.get("etag") ?? "";
  expect(etag.includes("gzip")).toBe(encoding === "gzip");
  const again = await fetch(`${server.url}/client.js`, { headers: { ...headers, "if-none-match": etag } });
  expect(again.status).toBe(304);
});
