import { isIP } from "node:net";
import { pathOf } from "./topic-path.ts";

/** What an `Origin` may do: nothing, ask, or ask with the credentials that a browser keeps for a proxy in front. */
export type Allowed = "no" | "yes" | "with credentials";

/**
 * Decides which web pages may talk to the server, by the `Origin` that a browser sends (RFC 6454 §7). A request without
 * one does not come from a page, and is allowed, with two exceptions: the browser says that another site has caused it
 * (Fetch Metadata, `Sec-Fetch-Site`), as an image in a page does; and a browser asks for a host that any page may have led
 * here, since a page sends no `Origin` to what it takes for its own host.
 *
 * A page of the server's own host is allowed. Where the server asks for no credential, only an IP address, `localhost` and
 * the hosts of `allowed` count as its own. The owner of any other name can point it at this machine after a browser has
 * loaded a page from there, and that page would then reach the server (DNS rebinding).
 *
 * @param allowed further origins, `*` for all
 * @param asksForCredential whether a request needs a credential
 */
export function originPolicy(
  allowed: readonly string[] = [],
  asksForCredential = false,
): (request: Request) => Allowed {
  const named = new Set(allowed.map(canonical));
  const hosts = new Set(allowed.flatMap((origin) => (URL.canParse(origin) ? [new URL(origin).host] : [])));
  /** Whether a host is this server and nothing else. */
  const isTrusted = (host: string) => asksForCredential || hosts.has(host.toLowerCase()) || isUnmistakable(host);
  return (request) => {
    const origin = request.headers.get("origin");
    if (origin !== null) {
      if (named.has(canonical(origin))) return "with credentials";
      if (isOwn(origin, request) && isTrusted(new URL(origin).host)) return "with credentials";
      return named.has("*") ? "yes" : "no";
    }
    const isForeign =
      isCausedElsewhere(request) || (isBrowser(request) && !isTrusted(request.headers.get("host") ?? ""));
    return isForeign && !named.has("*") ? "no" : "with credentials";
  };
}

/** Whether a page of another site asks, and not a person who follows a link. */
function isCausedElsewhere(request: Request): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== "cross-site" && site !== "same-site") return false;
  return request.headers.get("sec-fetch-mode") !== "navigate" || pathOf(request).endsWith("/events");
}

/** Whether a browser asks, as far as its headers tell. A page can change some of them, and not all. */
function isBrowser({ headers }: Request): boolean {
  const language = headers.get("accept-language");
  return /Mozilla\//.test(headers.get("user-agent") ?? "") || (language !== null && language !== "*");
}

/** Whether a host, with or without a port, leads nowhere but where it says. */
function isUnmistakable(host: string): boolean {
  if (!URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  return hostname === "localhost" || hostname.endsWith(".localhost") || isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;
}

/** Whether the page comes from the host that was asked. A scheme's default port may be left out. */
function isOwn(origin: string, request: Request): boolean {
  const host = request.headers.get("host") ?? "";
  if (!URL.canParse(origin)) return false;
  const page = new URL(origin);
  const own = `${page.protocol}//${host}`;
  return /^https?:$/.test(page.protocol) && page.host !== "" && URL.canParse(own) && new URL(own).host === page.host;
}

/** Normalizes an origin: lower case, no default port. */
function canonical(origin: string): string {
  const isWeb = /^https?:/i.test(origin) && URL.canParse(origin);
  return isWeb ? new URL(origin).origin : origin.toLowerCase();
}
