import { asset, type Asset } from "./asset.ts";
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

type Answer = Asset["answer"];

/** `GET /`, `GET /dashboard.js`, `GET /dashboard.css` */
export function dashboard(): { page: Answer; script: Answer; style: Answer } {
  const script = asset(PAGE.script, "text/javascript;charset=utf-8", GUARDS);
  const style = asset(PAGE.style, "text/css;charset=utf-8", GUARDS);
  // With its version in the address a browser keeps a file for good, and never mixes those of two versions.
  const html = PAGE.html
    .replace('"dashboard.js"', `"dashboard.js?v=${script.version}"`)
    .replace('"dashboard.css"', `"dashboard.css?v=${style.version}"`);
  const page = asset(html, "text/html;charset=utf-8", GUARDS);
  return { page: page.answer, script: script.answer, style: style.answer };
}
