import { RedisClient } from "bun";
import { Keys } from "../../src/engine/redis/keys.ts";

/** Hears what the nodes over one Redis ask each other, as a node does, and never answers. */
export class SilentNode implements Disposable {
  readonly #client: RedisClient;

  private constructor(client: RedisClient) {
    this.#client = client;
  }

  /** @param env the settings of the nodes */
  static async join({ ENGINE = "", ENGINE_PREFIX = "" }: Record<string, string>): Promise<SilentNode> {
    const client = new RedisClient(ENGINE);
    await client.connect();
    await client.subscribe(new Keys(ENGINE_PREFIX, new URL(ENGINE).pathname.slice(1) || "0").control, () => {});
    return new SilentNode(client);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
