import { startBinary, type Started } from "../../support/binary.ts";
import { CuttingProxy } from "../../support/cutting-proxy.ts";
import { RedisServer } from "../../support/redis.ts";

/** The time that nodes give Redis, in milliseconds. */
export const ENGINE_TIMEOUT_MS = 1000;

/** One node, and its own line to Redis, which can be cut. */
export class Node {
  readonly line: CuttingProxy;
  readonly #env: Record<string, string>;
  readonly #say: (line: string) => void;
  readonly #name: string;
  started: Started | undefined;

  constructor(
    name: string,
    world: { readonly redis: { readonly port: number } },
    env: Record<string, string>,
    say: (line: string) => void,
  ) {
    this.#name = name;
    this.#say = say;
    this.line = new CuttingProxy({
      get port() {
        return world.redis.port;
      },
    });
    this.#env = { ...env, ENGINE: `redis://127.0.0.1:${this.line.port}` };
  }

  async start(): Promise<void> {
    const started = await startBinary(this.#env);
    this.started = started;
    void this.#watch(started);
  }

  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const { started } = this;
    this.started = undefined;
    started?.process.kill(signal);
    await started?.process.exited;
  }

  /** Says what it logs as an error: none of what happens here is a fault of the server. */
  async #watch({ log }: Started): Promise<void> {
    for (let line = await log.next(); line !== undefined; line = await log.next()) {
      const { level, msg } = Object(line);
      if (level === "error" && !/has lost its data/.test(msg)) this.#say(`${this.#name}: ${JSON.stringify(line)}`);
    }
  }
}

/** Several nodes over one Redis. */
export class World implements AsyncDisposable {
  redis: RedisServer;
  readonly nodes: Node[];

  private constructor(redis: RedisServer, count: number, env: Record<string, string>, say: (line: string) => void) {
    this.redis = redis;
    this.nodes = Array.from({ length: count }, (_, index) => new Node(`node ${index}`, this, env, say));
  }

  /** @param say gets what a node logs as an error */
  static async open(count: number, topics: readonly string[], say: (line: string) => void): Promise<World> {
    const redis = await RedisServer.start(...OPTIONS);
    const env = {
      TOPICS: topics.join(","),
      ENGINE_TIMEOUT_MS: String(ENGINE_TIMEOUT_MS),
      SHUTDOWN_GRACE_MS: "500",
      MAX_HISTORY: "1000",
      MAX_SUBSCRIBER_QUEUE: "200",
    };
    const world = new World(redis, count, env, say);
    await Promise.all(world.nodes.map((node) => node.start()));
    return world;
  }

  get running(): Started[] {
    return this.nodes.flatMap(({ started }) => started ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill("SIGKILL")));
    for (const { line } of this.nodes) line[Symbol.dispose]();
    await this.redis[Symbol.asyncDispose]();
  }
}

/** It keeps its data, and cuts whoever leaves 64 KB of channels unread. */
export const OPTIONS = [
  "--appendonly",
  "yes",
  "--client-output-buffer-limit",
  "pubsub 65536 0 0",
  "--repl-diskless-sync-delay",
  "0",
];
