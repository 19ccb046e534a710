import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient, type Subprocess } from "bun";

/** The first of these that this machine has is the Redis of the tests; `PUBSUB_REDIS_SERVER` names another. */
const COMMANDS = ["redis-server", "valkey-server"];

const command = process.env["PUBSUB_REDIS_SERVER"] ?? COMMANDS.find((name) => Bun.which(name) !== null);

/** Tests that need a Redis are skipped where there is none, unless `PUBSUB_REQUIRE_REDIS=1` says that there must be one. */
export const withoutRedis = command === undefined && process.env["PUBSUB_REQUIRE_REDIS"] !== "1";

/** Whether all servers of this run go by a Redis, whose tests do not choose an engine themselves. */
export const allOverRedis = process.env["PUBSUB_TEST_ENGINE"] === "redis";

/** A `redis-server` of its own, on a free port of 127.0.0.1. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #options: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), "pubsub-redis-"));
  #process: Subprocess | undefined;

  private constructor(port: number, options: readonly string[]) {
    this.port = port;
    this.#options = options;
  }

  /** @param options of its command line, such as `--appendonly yes` */
  static async start(...options: string[]): Promise<RedisServer> {
    const server = new RedisServer(freePort(), options);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts it again on the same port, with the data that it has saved. Resolves when it answers. */
  async start(): Promise<void> {
    const options = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--dir", this.#folder];
    this.#process = Bun.spawn([command ?? "redis-server", ...options, ...this.#options], {
      stdout: "ignore",
      stderr: "inherit",
    });
    for (let tries = 0; ; tries++) {
      try {
        await this.send("PING", []);
        return;
      } catch (cause) {
        if (tries > 500) throw cause;
        await Bun.sleep(20);
      }
    }
  }

  /** Listens with TLS, too, on a free port. */
  async listenWithTls(): Promise<number> {
    const port = freePort();
    await this.send("CONFIG", ["SET", "tls-port", String(port)]);
    return port;
  }

  /** Has it be a replica of another from now on. Resolves when it has all that the other has. */
  async follow(master: RedisServer): Promise<void> {
    await this.send("REPLICAOF", ["127.0.0.1", String(master.port)]);
    const isSynced = async () => /master_link_status:up/.test(String(await this.send("INFO", ["replication"])));
    while (!(await isSynced())) await Bun.sleep(50);
  }

  /** Takes away what it has saved. */
  clear(): void {
    for (const name of readdirSync(this.#folder)) rmSync(join(this.#folder, name), { recursive: true, force: true });
  }

  /** Asks it something, over a connection of its own. */
  async send(what: string, args: string[]): Promise<unknown> {
    const client = new RedisClient(this.url, { autoReconnect: false, connectionTimeout: 1000 });
    try {
      await client.connect();
      return await client.send(what, args);
    } finally {
      client.close();
    }
  }

  /** Sends it a signal. Resolves when it has ended, if that ends it. */
  async signal(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): Promise<void> {
    this.#process?.kill(signal);
    if (signal === "SIGKILL" || signal === "SIGTERM") await this.#process?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.signal("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

let shared: { url: string; stop(): void } | undefined;
let worlds = 0;

/** The settings of a server that has a Redis for itself: a part, that is, of the one that all tests of a run share. */
export function overRedis(): { ENGINE: string; ENGINE_PREFIX: string } {
  return { ENGINE: sharedRedis(), ENGINE_PREFIX: `test${process.pid}-${++worlds}:` };
}

/** To be called when all tests are over. */
export function stopSharedRedis(): void {
  shared?.stop();
  shared = undefined;
}

function sharedRedis(): string {
  const given = process.env["PUBSUB_REDIS_URL"];
  if (given !== undefined) return given;
  if (shared !== undefined) return shared.url;
  const folder = mkdtempSync(join(tmpdir(), "pubsub-redis-"));
  const port = freePort();
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder];
  const server = Bun.spawn([command ?? "redis-server", ...options], { stdout: "ignore", stderr: "inherit" });
  const url = `redis://127.0.0.1:${port}`;
  const stop = () => {
    server.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.on("exit", stop);
  shared = { url, stop };
  // Servers that are started now wait for it themselves.
  return url;
}
