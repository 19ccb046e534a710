import type { ServerFrame } from "../protocol/frames.ts";
import { PubSubError } from "./errors.ts";

/** A key or a token, or what gets a token. It is asked before each connection, and in time before a token expires. */
export type TokenSource = string | (() => string | Promise<string>);

/** A token is renewed when this part of its time is left, a minute at most. */
const RENEW_AT = 1 / 4;
const MOST_MARGIN_MS = 60_000;

/** What the server says of a credential: that it holds, and when to renew it if it ends, or that it does not. */
export type Verdict =
  { ok: true; renewAfterMs: number | undefined } | { ok: false; problem: PubSubError; mayChange: boolean };

/** The credential of one client, and what the server was asked of it. */
export class Authentication {
  readonly #source: TokenSource | undefined;
  #token: string | undefined;
  #asked = 0;

  constructor(source: TokenSource | undefined) {
    this.#source = source;
  }

  /** The credential that was fetched last. */
  get token(): string | undefined {
    return this.#token;
  }

  /** Whether another try may come with another credential. */
  get mayChange(): boolean {
    return typeof this.#source === "function";
  }

  /** Gets the credential for the next connection, or to renew this one. @throws {PubSubError} `UNAUTHORIZED` */
  async fetch(): Promise<void> {
    try {
      this.#token = typeof this.#source === "function" ? await this.#source() : this.#source;
    } catch (cause) {
      throw new PubSubError("UNAUTHORIZED", "No token could be had", cause);
    }
  }

  /** The frame that shows the credential; undefined if there is none to show. */
  frame(): string | undefined {
    if (this.#token === undefined) return undefined;
    this.#asked++;
    return JSON.stringify({ type: "auth", token: this.#token, request_id: this.#requestId });
  }

  /** What an answer to the last {@link frame} says; undefined if the frame is none. */
  verdict(frame: ServerFrame): Verdict | undefined {
    if (!("request_id" in frame) || frame.request_id !== this.#requestId) return undefined;
    if (frame.type === "error") {
      const isOutage = frame.error.code === "UNAVAILABLE";
      const problem = new PubSubError(isOutage ? "UNAVAILABLE" : "UNAUTHORIZED", frame.error.message);
      return { ok: false, problem, mayChange: isOutage || this.mayChange };
    }
    const expiresAt = "expires_at" in frame ? frame.expires_at : undefined;
    if (expiresAt === undefined || !this.mayChange) return { ok: true, renewAfterMs: undefined };
    // By the server's clock, whatever the one here says.
    const leftMs = Date.parse(expiresAt) - Date.parse(frame.ts);
    return { ok: true, renewAfterMs: leftMs - Math.min(MOST_MARGIN_MS, leftMs * RENEW_AT) };
  }

  get #requestId(): string {
    return `auth ${this.#asked}`;
  }
}
