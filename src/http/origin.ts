/** What an `Origin` may do: nothing, ask, or ask with the credentials that a browser keeps for a proxy in front. */
export type Allowed = "no" | "yes" | "with credentials";

/**
 * Decides which web pages may talk to the server, by the `Origin` that a browser sends (RFC 6454 §7). A request without
 * one does not come from a page, and is allowed. So is a page of the server's own host.
 *
 * @param allowed further origins, `*` for all
 */
export function originPolicy(allowed: readonly string[] = []): (request: Request) => Allowed {
  const named = new Set(allowed.map(canonical));
  return (request) => {
    const origin = request.headers.get("origin");
    if (origin === null || named.has(canonical(origin)) || isOwn(origin, request)) return "with credentials";
    return named.has("*") ? "yes" : "no";
  };
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
