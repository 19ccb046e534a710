/** Where the server's WebSocket and its HTTP API are. */
export type Endpoints = { socketUrl: string; base: string };

/**
 * Finds both from the address of either: `http://localhost:8000`, `wss://example.com/prefix/ws`.
 *
 * @throws {TypeError} if it is no address of such a server
 */
export function endpointsOf(address: string): Endpoints {
  const url = new URL(address);
  const isSafe = url.protocol === "https:" || url.protocol === "wss:";
  if (!isSafe && url.protocol !== "http:" && url.protocol !== "ws:") {
    throw new TypeError(`An address begins with http, https, ws or wss, not with ${url.protocol}`);
  }
  const path = url.pathname.replace(/\/+$/, "").replace(/\/ws$/, "");
  const base = `${isSafe ? "https" : "http"}://${url.host}${path}`;
  return { socketUrl: `${base.replace("http", "ws")}/ws`, base };
}
