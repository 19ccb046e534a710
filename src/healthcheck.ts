import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Config } from "./config.ts";

const ANY_ADDRESS: ReadonlyMap<string, string> = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "[::1]"],
]);

/** How long the server may take to answer, in milliseconds. */
const PATIENCE_MS = 3000;

/**
 * Whether the server is ready. If it is not, standard error says why.
 *
 * @param asked whether the port was given on this command line; if not, it is the one that the server of this machine
 *   or container really listens on, if there is only one
 */
export async function checkHealth({ host, port, tlsCertFile }: Config, asked: boolean): Promise<boolean> {
  // The request goes to the server itself, even if the environment names a proxy.
  for (const name of ["NO_PROXY", "no_proxy"]) process.env[name] = "*";
  const address = ANY_ADDRESS.get(host) ?? (host.includes(":") ? `[${host}]` : host);
  const rest = `://${address}:${asked ? port : runningPort(port)}/readyz`;
  // Flags of the server are not flags of this command, so it may speak TLS all the same.
  const schemes = tlsCertFile === undefined ? ["http", "https"] : ["https"];
  let problem = "";
  for (const scheme of schemes) {
    const url = scheme + rest;
    try {
      // The certificate is made out to the name that clients know, not to this address.
      const { ok, status } = await fetch(url, {
        signal: AbortSignal.timeout(PATIENCE_MS),
        tls: { rejectUnauthorized: false },
      });
      if (!ok) console.error(`${url} answered ${status}`);
      return ok;
    } catch (cause) {
      problem ||= `${url} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`;
    }
  }
  console.error(problem);
  return false;
}

/** The port of the one server that runs from this executable; `configured` if there is not exactly one. */
function runningPort(configured: number): number {
  const ports = new Set(otherProcesses().flatMap(portsOf));
  const [only] = ports;
  return only === undefined || ports.size > 1 ? configured : only;
}

/** The ids of other processes of this executable. Linux only: empty elsewhere. */
function otherProcesses(): string[] {
  // When started from source, the executable is Bun, which may run anything.
  if (process.platform !== "linux" || !Bun.main.startsWith("/$bunfs/")) return [];
  const own = attempt(() => readlinkSync("/proc/self/exe"), "");
  const pids = attempt(() => readdirSync("/proc"), []).filter(
    (name) => /^\d+$/.test(name) && name !== String(process.pid),
  );
  return pids.filter((pid) => own !== "" && attempt(() => readlinkSync(`/proc/${pid}/exe`), undefined) === own);
}

const LISTENING = "0A";

/** The ports that a process listens on. */
function portsOf(pid: string): number[] {
  const open = new Set(
    attempt(() => readdirSync(`/proc/${pid}/fd`), []).map((fd) => {
      return attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`), "");
    }),
  );
  const tables = ["tcp", "tcp6"].map((name) => attempt(() => readFileSync(`/proc/${pid}/net/${name}`, "utf8"), ""));
  const rows = tables.flatMap((table) => table.split("\n").map((row) => row.trim().split(/\s+/)));
  return rows.flatMap(([, local = "", , state, , , , , , inode]) => {
    if (state !== LISTENING || !open.has(`socket:[${inode}]`)) return [];
    return [Number.parseInt(local.split(":").at(-1) ?? "", 16)];
  });
}

/** Returns `otherwise` if reading fails: a process may be gone, or belong to somebody else. */
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
