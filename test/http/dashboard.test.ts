import { describe, expect, test } from "bun:test";
import { problemOf } from "../support/answers.ts";
import { startTestServer } from "../support/server.ts";

/** The addresses of script and style, as the page has them. */
async function assetsOf(server: { url: string }): Promise<string[]> {
  const html = await (await fetch(server.url)).text();
  return [...html.matchAll(/(?:href|src)="(dashboard[^"]*)"/g)].map(([, path = ""]) => `${server.url}/${path}`);
}

const PATHS = ["/", "/dashboard.js", "/dashboard.css"];

describe("the page's files", () => {
  test("come with a policy that lets nothing in from elsewhere, and nothing inline", async () => {
    await using server = startTestServer();
    for (const path of PATHS) {
      const { status, headers } = await fetch(server.url + path);
      expect(status).toBe(200);
      const policy = headers.get("content-security-policy") ?? "";
      expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self';");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|\*|http/);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    }
  });

  test("are kept for good under the address that the page has, and asked for again under any other", async () => {
    await using server = startTestServer();
    const assets = await assetsOf(server);
    expect(assets.length).toBe(2);
    for (const url of assets) {
      expect((await fetch(url)).headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      expect((await fetch(`${url}x`)).headers.get("cache-control")).toBe("no-cache");
    }
    const { headers } = await fetch(server.url);
    expect(headers.get("cache-control")).toBe("no-cache");
    const etag = headers.get("etag") ?? "";
    expect((await fetch(server.url, { headers: { "if-none-match": etag } })).status).toBe(304);
  });

  test("are sent gzipped to who takes that, and are small", async () => {
    await using server = startTestServer();
    let total = 0;
    for (const path of PATHS) {
      const zipped = await fetch(server.url + path, { headers: { "accept-encoding": "gzip" }, decompress: false });
      expect(zipped.headers.get("content-encoding")).toBe("gzip");
      const bytes = new Uint8Array(await zipped.arrayBuffer());
      const plain = await fetch(server.url + path, { headers: { "accept-encoding": "identity" } });
      expect(new TextDecoder().decode(Bun.gunzipSync(bytes))).toBe(await plain.text());
      total += bytes.length;
    }
    expect(total).toBeLessThan(64_000);
  });

  test("answer HEAD without a body", async () => {
    await using server = startTestServer();
    for (const path of PATHS) {
      const answer = await fetch(server.url + path, { method: "HEAD" });
      expect([answer.status, await answer.text()]).toEqual([200, ""]);
    }
  });

  test("are not there with DASHBOARD=false", async () => {
    await using server = startTestServer({ DASHBOARD: "false" });
    for (const path of PATHS) {
      const answer = await fetch(server.url + path);
      expect((await problemOf(answer)).code).toBe("NOT_FOUND");
    }
  });
});
