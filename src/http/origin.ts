/**
 * Decides which web pages may talk to the server, by the `Origin` that a browser sends (RFC 6454 §7). A request
 * without one does not come from a page.
 *
 * @param allowed origins that may, `*` for all; undefined lets only pages of the server's own host
 */
export function originPolicy(allowed: readonly string[] | undefined): (request: Request) => boolean {
  return (request) => {
    const origin = request.headers.get("origin");
    if (origin === null) return true;
    if (allowed !== undefined) return allowed.includes("*") || allowed.includes(origin);
    return URL.canParse(origin) && new URL(origin).host === request.headers.get("host");
  };
}
