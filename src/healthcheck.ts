import type { Config } from "./config.ts";

const ANY_ADDRESS = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "[::1]"],
]);

/** Whether the server that this configuration starts is ready, and says so on standard error if it is not. */
export async function checkHealth({ host, port }: Config): Promise<boolean> {
  const address = ANY_ADDRESS.get(host) ?? (host.includes(":") ? `[${host}]` : host);
  const url = `http://${address}:${port}/readyz`;
  try {
    const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(3000) });
    if (!ok) console.error(`${url} answered ${status}`);
    return ok;
  } catch (cause) {
    console.error(`${url} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`);
    return false;
  }
}
