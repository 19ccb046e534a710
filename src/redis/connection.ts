import { RedisClient } from "bun";
import { diagnose, type Encryption } from "./diagnose.ts";

/** The shortest and the longest time between two tries to connect, in milliseconds. */
const RETRY_MS = { least: 50, most: 1000 };

export type ConnectionPorts = {
  url: string;
  tls: Encryption;
  /** How long a try may take, in milliseconds. */
  timeoutMs: number;
  /** Does what a new connection needs before it can be used. */
  prepare(client: RedisClient): Promise<void>;
  opened(): void;
  /** It is over: what it owes does not come. Called after {@link prepare} or not. */
  ended(): void;
  /** It was lost, or a try to make it has failed. Called once for each absence. @param reason why, for people */
  lost(reason: string): void;
};

/** A connection to Redis that is made anew whenever it is lost. */
export class Connection {
  readonly #ports: ConnectionPorts;
  /** The client, once it can be used. */
  client: RedisClient | undefined;
  /** Why there is no connection; undefined if there is one. */
  away: string | undefined = "it was not connected to yet";
  #current: RedisClient | undefined;
  #reason: string | undefined;
  #failures = 0;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ports: ConnectionPorts) {
    this.#ports = ports;
  }

  /** Connects, and goes on connecting until {@link close}. */
  start(): void {
    void this.#connect();
  }

  /** Lets go of the connection, and makes another. Whatever waits for an answer fails. */
  renew(reason: string): void {
    this.#reason = reason;
    this.#current?.close();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#current?.close();
  }

  async #connect(): Promise<void> {
    const { url, tls, timeoutMs, prepare, opened } = this.#ports;
    const client = new RedisClient(url, {
      connectionTimeout: timeoutMs,
      autoReconnect: false,
      enableOfflineQueue: false,
      ...(tls !== undefined && { tls }),
    });
    this.#current = client;
    this.#reason = undefined;
    const closed = new Promise<void>((resolve) => (client.onclose = () => resolve()));
    const timer = setTimeout(() => this.renew("it did not answer in time"), 2 * timeoutMs);
    try {
      await client.connect();
      // What Bun's client owes may not come once it is closed.
      const isReady = await Promise.race([prepare(client).then(() => true), closed.then(() => false)]);
      if (!isReady) throw new Error("the connection was lost while it was made ready");
      clearTimeout(timer);
      if (this.#closed) return client.close();
      this.client = client;
      this.away = undefined;
      this.#failures = 0;
      opened();
      await closed;
      this.#lost(this.#reason ?? "the connection was lost");
    } catch (cause) {
      clearTimeout(timer);
      client.close();
      this.#ports.ended();
      if (!this.#closed) this.#lost(this.#reason ?? (await this.#why(cause)));
    }
  }

  #lost(reason: string): void {
    this.#ports.ended();
    if (this.#closed) return;
    const wasThere = this.client !== undefined;
    const isNews = wasThere || this.away !== reason;
    this.client = undefined;
    this.away = reason;
    if (isNews) this.#ports.lost(reason);
    const { least, most } = RETRY_MS;
    const waitMs = Math.min(most, least * 2 ** this.#failures++) * (0.5 + Math.random());
    this.#timer = setTimeout(() => void this.#connect(), waitMs);
  }

  /** Bun only says that the connection is closed. */
  async #why(cause: unknown): Promise<string> {
    const isSilent = cause instanceof Error && "code" in cause && cause.code === "ERR_REDIS_CONNECTION_CLOSED";
    if (!isSilent) return cause instanceof Error ? cause.message : String(cause);
    const { url, tls, timeoutMs } = this.#ports;
    try {
      return await diagnose(url, tls, timeoutMs);
    } catch (problem) {
      return String(problem);
    }
  }
}
