/** What an `Origin` may do: nothing, ask, or also ask with the credentials that a browser keeps for a proxy in front. */
export type Allowed = "no" | "yes" | "with credentials";

/**
 * Decides which web pages may talk to the server, by the `Origin` that a browser sends (RFC 6454 §7). A request without one
 * does not come from a page; a page of the server's own host always may.
 *
 * @param allowed further origins that may, `*` for all
 */
export function originPolicy(allowed: readonly string[] = []): (request: Request) => Allowed {
  const named = new Set(allowed.map(canonical));
  return (request) => {
    const origin = request.headers.get("origin");
    if (origin === null || named.has(canonical(origin)) || isOwn(origin, request)) return "with credentials";
    return named.has("*") ? "yes" : "no";
  };
}

/** Whether the page comes from the host that was asked; what is a scheme's default port need not be written. */
function isOwn(origin: string, request: Request): boolean {
  const host = request.headers.get("host") ?? "";
  if (!URL.canParse(origin)) return false;
  const page = new URL(origin);
  const own = `${page.protocol}//${host}`;
  return page.host !== "" && URL.canParse(own) && new URL(own).host === page.host;
}

/** The one way of writing an origin: in lower case, without a default port. */
function canonical(origin: string): string {
  const isWeb = /^https?:/i.test(origin) && URL.canParse(origin);
  return isWeb ? new URL(origin).origin : origin.toLowerCase();
}
