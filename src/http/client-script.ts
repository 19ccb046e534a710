import { bundleClient } from "./client-bundle.ts" with { type: "macro" };

/** The client library for browsers, as it was when the server was compiled. */
const SCRIPT = bundleClient();

/** `GET /client.js` */
export function clientScript() {
  const zipped = Bun.gzipSync(SCRIPT, { library: "libdeflate", level: 12 });
  const etag = `"${Bun.hash(SCRIPT).toString(36)}"`;
  const shared = { "content-type": "text/javascript;charset=utf-8", "cache-control": "no-cache", etag };
  return ({ headers }: Request): Response => {
    const common = { ...shared, vary: "Accept-Encoding" };
    if (headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers: common });
    const takesGzip = /\bgzip\b/.test(headers.get("accept-encoding") ?? "");
    if (!takesGzip) return new Response(SCRIPT, { headers: common });
    return new Response(zipped, { headers: { ...common, "content-encoding": "gzip" } });
  };
}
