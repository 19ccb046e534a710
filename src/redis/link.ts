import type { RedisClient } from "bun";
import { LinkError, type Asking, type LinkEvents, type RedisLink } from "../engine/redis/link.ts";
import { SCRIPTS, type ScriptName } from "../engine/redis/scripts.ts";
import { Connection } from "./connection.ts";
import type { Encryption } from "./diagnose.ts";
import { identityOf } from "./identity.ts";
import { Owed } from "./owed.ts";
import { Waiting } from "./waiting.ts";

/** How many channels one command names. */
const CHANNELS_AT_ONCE = 500;

export type BunRedisLinkPorts = {
  url: string;
  tls: Encryption;
  /**
   * How long Redis may take, in milliseconds. A connection that is silent for longer while it is asked something is given up,
   * and an absence up to that long is waited out.
   */
  timeoutMs: number;
  /** How long an answer took. */
  observe(seconds: number): void;
  /** A connection is lost; `what` says which. */
  lost(what: string, reason: string): void;
  opened(what: string, isFirst: boolean): void;
  /** A fault of ours. */
  failed(cause: unknown): void;
};

/** The way to Redis, over Bun's client. */
export class BunRedisLink implements RedisLink {
  readonly #ports: BunRedisLinkPorts;
  readonly #requests: Connection;
  readonly #hearing: Connection;
  readonly #channels = new Set<string>();
  readonly #shas = new Map<string, string>();
  server = "";
  #events: LinkEvents | undefined;
  readonly #waiting = new Waiting();
  readonly #hearers = new Waiting();
  readonly #wasOpen = { requests: false, hearing: false };
  #heardFrom = "";
  /** The channels that the connection for them hears, or is about to. */
  #heardHere = new Set<string>();
  #awaySince = performance.now();
  readonly #owed = new Owed();
  readonly #owedToHearing = new Owed();
  #clock: ReturnType<typeof setInterval> | undefined;

  constructor(ports: BunRedisLinkPorts) {
    this.#ports = ports;
    const { url, tls, timeoutMs } = ports;
    this.#requests = new Connection({
      ...{ url, tls, timeoutMs },
      prepare: (client) => this.#prepareRequests(client),
      opened: () => this.#requestsOpened(),
      ended: () => this.#owed.fail(),
      lost: (reason) => {
        if (this.#awaySince === 0) this.#awaySince = performance.now();
        ports.lost("requests", reason);
      },
    });
    this.#hearing = new Connection({
      ...{ url, tls, timeoutMs },
      prepare: (client) => this.#prepareHearing(client),
      opened: () => this.#hearingOpened(),
      ended: () => this.#owedToHearing.fail(),
      lost: (reason) => ports.lost("channels", reason),
    });
  }

  get away(): string | undefined {
    return this.#requests.away ?? this.#hearing.away;
  }

  start(events: LinkEvents): void {
    this.#events = events;
    this.#requests.start();
    this.#hearing.start();
    this.#clock = setInterval(() => this.#look(), this.#ports.timeoutMs / 2);
  }

  whenOpen(): Promise<void> | undefined {
    if (this.#requests.client !== undefined) return undefined;
    return this.#wait(this.#waiting, this.#requests);
  }

  run(script: ScriptName, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#run(this.#requests.client, script, keys, args);
  }

  send(command: string, args: readonly string[]): Promise<unknown> {
    return this.#ask(this.#requests.client, command, [...args]);
  }

  async follow(channel: string): Promise<void> {
    this.#channels.add(channel);
    const { client } = this.#hearing;
    // A new connection hears it from the beginning.
    if (client === undefined) return this.#wait(this.#hearers, this.#hearing);
    if (this.#heardHere.has(channel)) return;
    this.#heardHere.add(channel);
    await this.#hear(client, [channel]);
  }

  unfollow(channel: string): void {
    this.#channels.delete(channel);
    if (this.#hearing.client !== undefined) this.#heardHere.delete(channel);
    this.#hearing.client?.unsubscribe(channel).catch(() => {
      // The connection is lost, and the next one does not hear it.
    });
  }

  hearAnew(reason: string): void {
    this.#hearing.renew(reason);
  }

  close(): void {
    clearInterval(this.#clock);
    this.#requests.close();
    this.#hearing.close();
    const error = new LinkError("away", "the server is shutting down");
    for (const waiting of [this.#waiting, this.#hearers]) waiting.fail(error);
  }

  async #prepareRequests(client: RedisClient): Promise<void> {
    this.server = await identityOf(client);
    for (const [name, script] of Object.entries(SCRIPTS)) await this.#load(client, name, script);
    const asking: Asking = {
      run: (script, keys, args) => this.#run(client, script, keys, args),
      send: (command, args) => this.#ask(client, command, [...args]),
    };
    await this.#events?.opened(asking);
  }

  #requestsOpened(): void {
    this.#awaySince = 0;
    const isElsewhere = this.#hearing.client !== undefined && this.#heardFrom !== this.server;
    if (isElsewhere) this.#hearing.renew("it leads to another server than the connection for requests");
    this.#waiting.go();
    this.#events?.ready();
    this.#ports.opened("requests", !this.#wasOpen.requests);
    this.#wasOpen.requests = true;
  }

  async #prepareHearing(client: RedisClient): Promise<void> {
    const server = await identityOf(client);
    if (this.#requests.client !== undefined && server !== this.server) {
      // One of the two is an old one.
      this.#requests.renew("the connection for channels leads to another server");
      throw new Error("the connection for requests leads to another server");
    }
    this.#heardFrom = server;
    this.#heardHere = new Set();
    while ((await this.#hearMore(client)) > 0);
  }

  /** Hears some of the channels that are not heard yet. Returns how many. */
  async #hearMore(client: RedisClient): Promise<number> {
    const all = [...(this.#events?.channels ?? []), ...this.#channels];
    const next = all.filter((channel) => !this.#heardHere.has(channel)).slice(0, CHANNELS_AT_ONCE);
    for (const channel of next) this.#heardHere.add(channel);
    if (next.length > 0) await this.#hear(client, next);
    return next.length;
  }

  #hearingOpened(): void {
    const { client } = this.#hearing;
    // Those that were added in the last moment, and those that nobody wants any more.
    if (client !== undefined) this.#hearMore(client).catch(() => this.hearAnew("a channel could not be heard"));
    const wanted = new Set([...(this.#events?.channels ?? []), ...this.#channels]);
    for (const channel of this.#heardHere) if (!wanted.has(channel)) this.unfollow(channel);
    this.#hearers.go();
    this.#events?.hearing();
    this.#ports.opened("channels", !this.#wasOpen.hearing);
    this.#wasOpen.hearing = true;
  }

  async #hear(client: RedisClient, channels: string[]): Promise<void> {
    try {
      await this.#owedToHearing.await(client.subscribe(channels, this.#heard), () => {});
    } catch (cause) {
      throw asLinkError(cause);
    }
  }

  readonly #heard = (message: string, channel: string): void => {
    try {
      this.#events?.heard(channel, message);
    } catch (cause) {
      this.#ports.failed(cause);
    }
  };

  async #load(client: RedisClient, name: string, script: string): Promise<void> {
    this.#shas.set(name, String(await client.send("SCRIPT", ["LOAD", script])));
  }

  async #run(
    client: RedisClient | undefined,
    script: ScriptName,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> {
    const all = [this.#shas.get(script) ?? "", String(keys.length), ...keys, ...args];
    const ask = () => this.#ask(client, "EVALSHA", all);
    return ask().catch((cause: unknown) => {
      if (client === undefined || !(cause instanceof LinkError) || !cause.message.startsWith("NOSCRIPT")) throw cause;
      // Redis was told to forget all scripts. Both go out at once, so what failed together is done again in its order.
      return Promise.all([this.#load(client, script, SCRIPTS[script]), ask()]).then(([, answer]) => answer);
    });
  }

  #ask(client: RedisClient | undefined, command: string, args: string[]): Promise<unknown> {
    if (client === undefined) return Promise.reject(new LinkError("away", this.away ?? "it was just lost"));
    return this.#owed.await(client.send(command, args), this.#ports.observe).catch((cause: unknown) => {
      const error = asLinkError(cause);
      // It is a replica now: the master is elsewhere, and a new connection may lead there.
      if (error.message.startsWith("READONLY")) this.#requests.renew("it has become a replica");
      throw error;
    });
  }

  /** Gives up a connection that owes answers and has given none for long. */
  #look(): void {
    if (!this.#owed.isStuck()) return;
    // If this process was the one that was stuck, answers are there to be read first.
    const { answered } = this.#owed;
    setImmediate(() => {
      if (this.#owed.answered !== answered) return;
      this.#requests.renew("it did not answer in time");
      this.#hearing.renew("it did not answer in time");
    });
  }

  /** Waits for a connection, until its absence is longer than it may be. */
  #wait(waiting: Waiting, connection: Connection): Promise<void> {
    const { timeoutMs } = this.#ports;
    const leftMs = this.#awaySince === 0 ? timeoutMs : this.#awaySince + timeoutMs - performance.now();
    return waiting.wait(leftMs, () => new LinkError("away", connection.away ?? "it was just lost"));
  }
}

function asLinkError(cause: unknown): LinkError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return new LinkError(code === "ERR_REDIS_SERVER_ERROR" ? "refused" : "unknown", message, cause);
}
