import { z } from "zod";
import { connect, PubSubError, type BackoffOptions, type Client, type SubscriptionState } from "../client/index.ts";
import { endpointsOf } from "../client/endpoints.ts";
import { UsageError } from "../config.ts";
import type { Context } from "./context.ts";
import { Failure, failureOf, Interrupted } from "./failure.ts";
import { word } from "./flag-kinds.ts";
import { HttpApi } from "./http-api.ts";

/** The flags of each command that talks to a server. */
export const SERVER = {
  url: z
    .string()
    .refine(isAddress, { error: "must be an address such as http://localhost:8000" })
    .prefault("http://localhost:8000")
    .meta({ help: "where the server is", value: "URL", variable: "PUBSUB_URL", default: "http://localhost:8000" }),
  key: word("KEY", "an API key", { variable: "PUBSUB_KEY" }),
  token: word("TOKEN", "a token, in place of a key", { variable: "PUBSUB_TOKEN" }),
};

type ServerFlags = { url: string; key?: string | undefined; token?: string | undefined };

/** Payloads are JSON as text, both ways, so that every digit stays. */
type RawTopics = { [topic: string]: string };
export type RawClient = Client<RawTopics>;

/** How long a first connection may take, in milliseconds. */
const CONNECT_MS = 10_000;

export type ClientOptions = {
  /** How many publishes may wait for their acks, and how many characters. */
  maxPending?: number;
  maxPendingCharacters?: number;
  /** How long to wait between tries. */
  backoff?: BackoffOptions;
  /** Called when the connection is lost, and with true when it is there again. */
  onConnection?: (isThere: boolean) => void;
  /** Called when the server cannot publish for now. Without it, that is said on the side. */
  onUnavailable?: (cause: PubSubError) => void;
};

/** The server that a command talks to, by the client library and by the HTTP API. */
export class Server {
  readonly url: string;
  readonly api: HttpApi;
  readonly #credential: string | undefined;
  readonly #context: Context;

  constructor(url: string, credential: string | undefined, context: Context) {
    this.url = url;
    this.#credential = credential;
    this.#context = context;
    this.api = new HttpApi(endpointsOf(url).base, credential, context.signal);
  }

  /** What went wrong, for people. What is not about the server stays as it is. */
  failure(cause: unknown, topic?: string): Error {
    if (cause instanceof PubSubError) return this.explain(cause, topic);
    return cause instanceof Error ? cause : new Failure(String(cause));
  }

  /** What the server or the client library says, for people. */
  explain(cause: PubSubError, topic?: string): Failure {
    return failureOf(cause, { url: this.url, hasCredential: this.#credential !== undefined }, topic);
  }

  /** Says on the side what a subscription waits for, besides a connection, and when it goes on: for its `onState`. */
  noteWaiting(topic: string): (state: SubscriptionState, cause: PubSubError | undefined) => void {
    let isWaiting = false;
    return (state, cause) => {
      if (state === "waiting" && cause !== undefined) {
        isWaiting = true;
        this.#context.note(`pubsub: Waiting for '${topic}': ${this.explain(cause, topic).message}`);
      } else if (state === "live" && isWaiting) {
        isWaiting = false;
        this.#context.note(`pubsub: '${topic}' is there`);
      }
    };
  }

  /**
   * Connects, once: a server that is not there is not waited for. A connection that is lost later is made again.
   *
   * @throws {Failure} if there is no connection
   */
  async connect({ onConnection, onUnavailable, ...options }: ClientOptions = {}): Promise<RawClient> {
    const { signal } = this.#context;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let wasThere = false;
    let isThere = false;
    // Each try that fails is told, and is no news.
    const change = (to: boolean) => {
      if (isThere !== to && wasThere) onConnection?.(to);
      isThere = to;
    };
    const client = connect<RawTopics>(this.url, {
      ...options,
      raw: true,
      token: this.#credential,
      connectMs: CONNECT_MS,
      signal,
      onState: (state, cause) => {
        if (state === "connected") {
          change(true);
          wasThere = true;
          resolve();
        } else if (state === "closed") reject(cause ?? new Interrupted());
        else if (state === "waiting") {
          change(false);
          if (!wasThere) reject(cause ?? new PubSubError("DISCONNECTED", "No connection"));
        }
      },
      onError: (cause) => {
        const isOutage = cause instanceof PubSubError && cause.code === "UNAVAILABLE";
        if (isOutage && onUnavailable !== undefined) onUnavailable(cause);
        else this.#context.note(`pubsub: ${this.failure(cause).message}`);
      },
    });
    try {
      await promise;
      return client;
    } catch (cause) {
      void client.close();
      throw this.failure(cause);
    }
  }
}

function isAddress(text: string): boolean {
  try {
    endpointsOf(text);
    return true;
  } catch {
    return false;
  }
}

/** @throws {UsageError} if the command line has both a key and a token */
export function serverOf(flags: ServerFlags, context: Context): Server {
  // A flag counts before a variable, also where the one is a key and the other a token.
  const key = flags.key === context.env["PUBSUB_KEY"] ? undefined : flags.key;
  const token = flags.token === context.env["PUBSUB_TOKEN"] ? undefined : flags.token;
  if (key !== undefined && token !== undefined) throw new UsageError("A credential is --key or --token, not both");
  return new Server(flags.url, key ?? token ?? flags.key ?? flags.token, context);
}
