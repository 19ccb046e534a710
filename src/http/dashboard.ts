import { bundleDashboard } from "./dashboard-bundle.ts" with { type: "macro" };

/** The page as it was when the server was compiled. */
const PAGE = bundleDashboard();

/** Nothing but what the server itself has, no script or style inside the document, and no frame around it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const GUARDS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

type Asset = (request: Request) => Response;

/** `GET /`, `GET /dashboard.js`, `GET /dashboard.css` */
export function dashboard(): { page: Asset; script: Asset; style: Asset } {
  const script = asset(PAGE.script, "text/javascript;charset=utf-8");
  const style = asset(PAGE.style, "text/css;charset=utf-8");
  // With its version in the address a browser keeps a file for good, and never mixes those of two versions.
  const html = PAGE.html
    .replace('"dashboard.js"', `"dashboard.js?v=${script.version}"`)
    .replace('"dashboard.css"', `"dashboard.css?v=${style.version}"`);
  const page = asset(html, "text/html;charset=utf-8");
  return { page: page.answer, script: script.answer, style: style.answer };
}

function asset(text: string, type: string): { version: string; answer: Asset } {
  // Made once it is asked for: most servers that a test starts are not.
  let zipped: Uint8Array<ArrayBuffer> | undefined;
  const version = Bun.hash(text).toString(36);
  const etag = `"${version}"`;
  const answer = ({ headers, url }: Request): Response => {
    const isVersion = url.endsWith(`?v=${version}`);
    const cache = isVersion ? "public, max-age=31536000, immutable" : "no-cache";
    const common = { ...GUARDS, "content-type": type, "cache-control": cache, etag, vary: "Accept-Encoding" };
    if (headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers: common });
    const takesGzip = /\bgzip\b/.test(headers.get("accept-encoding") ?? "");
    if (!takesGzip) return new Response(text, { headers: common });
    zipped ??= Bun.gzipSync(text, { library: "libdeflate", level: 12 });
    return new Response(zipped, { headers: { ...common, "content-encoding": "gzip" } });
  };
  return { version, answer };
}
