import { isIP } from "node:net";

/** What an `Origin` may do: nothing, ask, or ask with the credentials that a browser keeps for a proxy in front. */
export type Allowed = "no" | "yes" | "with credentials";

/**
 * Decides which web pages may talk to the server, by the `Origin` that a browser sends (RFC 6454 §7). A request without
 * one does not come from a page, and is allowed, unless the browser says that another site has caused it (Fetch Metadata,
 * `Sec-Fetch-Site`): an image of a page anywhere is asked for without an `Origin`.
 *
 * A page of the server's own host is allowed. Where the server asks for no credential, that holds for an IP address and
 * `localhost` only: any page in the world can have its own name lead to this machine once it is loaded (DNS rebinding).
 *
 * @param allowed further origins, `*` for all
 * @param asksForCredential whether a request needs a credential
 */
export function originPolicy(
  allowed: readonly string[] = [],
  asksForCredential = false,
): (request: Request) => Allowed {
  const named = new Set(allowed.map(canonical));
  return (request) => {
    const origin = request.headers.get("origin");
    if (origin === null) return isCausedElsewhere(request) && !named.has("*") ? "no" : "with credentials";
    if (named.has(canonical(origin))) return "with credentials";
    if (isOwn(origin, request) && (asksForCredential || isUnmistakable(new URL(origin)))) return "with credentials";
    return named.has("*") ? "yes" : "no";
  };
}

/** Whether a page of another site asks, and not a person who follows a link. */
function isCausedElsewhere({ headers, url }: Request): boolean {
  if (headers.get("sec-fetch-site") !== "cross-site") return false;
  return headers.get("sec-fetch-mode") !== "navigate" || new URL(url).pathname.endsWith("/events");
}

/** Whether a host leads nowhere but where it says. */
function isUnmistakable({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;
}

/** Whether the page comes from the host that was asked. A scheme's default port may be left out. */
function isOwn(origin: string, request: Request): boolean {
  const host = request.headers.get("host") ?? "";
  if (!URL.canParse(origin)) return false;
  const page = new URL(origin);
  const own = `${page.protocol}//${host}`;
  return page.host !== "" && URL.canParse(own) && new URL(own).host === page.host;
}

/** Normalizes an origin: lower case, no default port. */
function canonical(origin: string): string {
  const isWeb = /^https?:/i.test(origin) && URL.canParse(origin);
  return isWeb ? new URL(origin).origin : origin.toLowerCase();
}
