import { join } from "node:path";
import { startBinary, type Started } from "../support/binary.ts";
import { HelperProcess } from "../support/helper-process.ts";
import type { LogLine } from "../support/log-lines.ts";
import type { RedisServer } from "../support/redis.ts";
import { doneSchema, type Done, type Work } from "./nodes-messages.ts";

/** One way to run the server: so many nodes, in memory or over a Redis. */
export class Setup implements AsyncDisposable {
  readonly name: string;
  readonly nodes: readonly Started[];
  /** What they have logged since they listen. */
  readonly lines: LogLine[] = [];
  readonly #redis: RedisServer | undefined;

  readonly #running: AsyncDisposableStack;

  private constructor(
    name: string,
    nodes: readonly Started[],
    running: AsyncDisposableStack,
    redis: RedisServer | undefined,
  ) {
    this.name = name;
    this.nodes = nodes;
    this.#running = running;
    this.#redis = redis;
    for (const node of nodes) void this.#read(node);
  }

  static async start(count: number, redis?: RedisServer): Promise<Setup> {
    const env = {
      ...(redis === undefined ? { ENGINE: "memory" } : { ENGINE: redis.url, ENGINE_PREFIX: `nodes${count}:` }),
      AUTO_CREATE_TOPICS: "true",
      HEARTBEAT_INTERVAL_MS: "0",
    };
    const nodes: Started[] = [];
    await using running = new AsyncDisposableStack();
    for (let i = 0; i < count; i++) nodes.push(running.use(await startBinary(env)));
    return new Setup(`${redis === undefined ? "memory" : "Redis"}, ${count}`, nodes, running.move(), redis);
  }

  get ports(): number[] {
    return this.nodes.map(({ port }) => port);
  }

  async measure(work: Omit<Work, "ports" | "pids" | "redis">): Promise<Done> {
    const pids = this.nodes.map(({ process }) => process.pid);
    const given: Work = { ...work, ports: this.ports, pids, redis: this.#redis?.pid };
    await using helper = new HelperProcess(join(import.meta.dir, "nodes-load.ts"), given);
    return await helper.said(doneSchema);
  }

  async #read({ log }: Started): Promise<void> {
    for (let line = await log.next(); line !== undefined; line = await log.next()) this.lines.push(line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.disposeAsync();
  }
}
