import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { declareProxy } from "./contract.ts";

const OPS = join(import.meta.dir, "../../src/ops");
const ATTEMPTS = 5;

/** Tests that need a tool are skipped where it is missing, unless `PUBSUB_REQUIRE_PROXIES=1` says that it must be there. */
export function skipWithout(tool: string): boolean {
  return Bun.which(tool) === null && process.env["PUBSUB_REQUIRE_PROXIES"] !== "1";
}

/** The text of a file of `src/ops`, with each text of `places` replaced. Every one must be there exactly once. */
export async function opsFile(name: string, places: Readonly<Record<string, string>> = {}): Promise<string> {
  let text = await Bun.file(join(OPS, name)).text();
  for (const [from, to] of Object.entries(places)) {
    const parts = text.split(from);
    if (parts.length !== 2) throw new Error(`${name} has '${from}' ${parts.length - 1} times, not once`);
    text = parts.join(to);
  }
  return text;
}

/** A folder in /tmp; `using` removes it. */
export function tempFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "pubsub-proxy-"));
  // nginx that root starts works as another user.
  chmodSync(path, 0o755);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 10 }) };
}

/** A proxy in front of a server. */
export type Proxy = { readonly url: string; readonly wsUrl: string; readonly port: number } & AsyncDisposable;

type Address = { port: number };
type Command = { command: string[]; env?: Record<string, string> };

/** Where a proxy listens and what it stands in front of, in a folder of its own. */
export type Place = { folder: string; port: number; server: Address };

/** nginx as `src/ops/nginx.conf` has it: only addresses and folders are others. */
export function startNginx(server: Address): Promise<Proxy> {
  return start(server, async (place) => runNginx(place, await nginxConf(place)));
}

/** nginx that knows nothing of this server: `proxy_pass` and the defaults. */
export function startBareNginx(server: Address): Promise<Proxy> {
  return start(server, (place) => {
    const location = `location / { proxy_pass http://127.0.0.1:${place.server.port}; }`;
    const http = `access_log off; ${nginxFolders(place.folder)} server { listen 127.0.0.1:${place.port}; ${location} }`;
    return runNginx(place, `pid ${place.folder}/nginx.pid; events {} http { ${http} }`);
  });
}

/** Caddy as `src/ops/Caddyfile` has it: only addresses are others. */
export function startCaddy(server: Address): Promise<Proxy> {
  return start(server, async (place) => {
    const config = join(place.folder, "Caddyfile");
    await Bun.write(config, await caddyfile(place));
    return { command: ["caddy", "run", "--adapter", "caddyfile", "--config", config], env: caddyEnv(place.folder) };
  });
}

/** `src/ops/nginx.conf` at another place. */
export async function nginxConf({ folder, port, server }: Place): Promise<string> {
  return opsFile("nginx.conf", {
    "pid /run/": `pid ${folder}/`,
    "error_log /var/log/nginx/": `error_log ${folder}/`,
    "access_log /var/log/nginx/access.log without_query;": `access_log off; ${nginxFolders(folder)}`,
    "listen 80;": `listen 127.0.0.1:${port};`,
    "server 127.0.0.1:8000;": `server 127.0.0.1:${server.port};`,
  });
}

/** `src/ops/Caddyfile` at another place. */
export async function caddyfile({ port, server }: Omit<Place, "folder">): Promise<string> {
  const site = { ":80 {": `:${port} {`, "127.0.0.1:8000": `127.0.0.1:${server.port}` };
  return `{\n\tadmin off\n\tgrace_period 1s\n\tdefault_bind 127.0.0.1\n}\n${await opsFile("Caddyfile", site)}`;
}

/** Keeps what Caddy writes for itself in `folder`. */
export function caddyEnv(folder: string): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "", HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
}

function nginxFolders(folder: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ");
}

async function runNginx({ folder }: Place, text: string): Promise<Command> {
  const config = join(folder, "nginx.conf");
  await Bun.write(config, text);
  return { command: ["nginx", "-p", folder, "-e", join(folder, "error.log"), "-c", config, "-g", "daemon off;"] };
}

/** Starts a proxy on a free port. Another may take the port first: then on the next one. */
async function start(server: Address, prepare: (place: Place) => Command | Promise<Command>): Promise<Proxy> {
  const complaints: string[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const folder = tempFolder();
    const port = freePort();
    const { command, env } = await prepare({ folder: folder.path, port, server });
    const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe", ...(env && { env }) });
    const complaint = new Response(child.stderr).text();
    const address = `127.0.0.1:${port}`;
    const known = declareProxy(`http://${address}`);
    const stop = async () => {
      child.kill("SIGTERM");
      await child.exited;
      known[Symbol.dispose]();
      folder[Symbol.dispose]();
    };
    if (await answers(`http://${address}`, child)) {
      return { url: `http://${address}`, wsUrl: `ws://${address}/ws`, port, [Symbol.asyncDispose]: stop };
    }
    await stop();
    complaints.push(await complaint);
  }
  throw new Error(`The proxy does not start: ${complaints.join("\n")}`);
}

/** Waits until it answers; false where it ends before. */
async function answers(url: string, child: { exitCode: number | null }): Promise<boolean> {
  while (child.exitCode === null) {
    try {
      await fetch(url);
      return true;
    } catch {
      await Bun.sleep(5);
    }
  }
  return false;
}

/** A port of 127.0.0.1 that nobody listens on. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
