import { startBinary, type Started } from "../support/binary.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import type { Random } from "../support/random.ts";
import { health } from "../support/server.ts";
import { publish } from "../support/publish.ts";
import { CROWDED, LEDGER_TOPICS } from "./ledger.ts";

/** More than are under way at once, so that the server knows what it has published before. */
const HISTORY = 600;

const ENV = {
  TOPICS: [...LEDGER_TOPICS, CROWDED].join(","),
  MAX_HISTORY: String(HISTORY),
  MAX_SUBSCRIBER_QUEUE: "20",
  ALLOWED_ORIGINS: "*",
  SHUTDOWN_GRACE_MS: "500",
};

/** A server that is killed and stopped, and whose connections are cut at any byte. Clients know its proxy only. */
export class Chaos implements AsyncDisposable {
  readonly proxy: CuttingProxy;
  readonly #random: Random;
  #server: Started;
  /** What was done, by kind. */
  readonly done = { killed: 0, stopped: 0, cut: 0 };

  private constructor(server: Started, random: Random) {
    this.#server = server;
    this.#random = random;
    const port = () => this.#server.port;
    this.proxy = new CuttingProxy({
      get port() {
        return port();
      },
    });
  }

  static async start(random: Random): Promise<Chaos> {
    return new Chaos(await startBinary(ENV), random);
  }

  /** Restarts the server so many times, each when all clients are back, and cuts connections in between. */
  async run(restarts: number, clients: number): Promise<void> {
    while (this.done.killed + this.done.stopped < restarts) {
      while ((await health(this.#server)).subscribers < clients * (LEDGER_TOPICS.length + 1)) await Bun.sleep(5);
      await Bun.sleep(20 + this.#random.int(100));
      if (this.#random.chance(0.5)) await this.#crowd();
      if (this.#random.chance(0.5)) {
        this.done.cut++;
        const cut = this.proxy.cutAfter(this.#random.int(20_000), this.#random.pick(["server", "clients"]));
        await Promise.race([cut, Bun.sleep(100)]);
        if (this.#random.chance(0.5)) await this.#crowd();
      } else await this.#restart(this.#random.chance(0.7) ? "SIGKILL" : "SIGTERM");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proxy[Symbol.dispose]();
    await this.#server[Symbol.asyncDispose]();
  }

  /** Publishes more than history keeps, past the proxy: whoever is cut off at the moment has missed some of it. */
  async #crowd(): Promise<void> {
    await publish(
      this.#server,
      CROWDED,
      Array.from({ length: 1.2 * HISTORY }, (_, i) => i),
    );
  }

  async #restart(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.done[signal === "SIGKILL" ? "killed" : "stopped"]++;
    const old = this.#server;
    old.process.kill(signal);
    await old.process.exited;
    this.#server = await startBinary(ENV);
  }
}
