import { ProtocolError } from "../protocol/codes.ts";
import type { KeyRing } from "./keys.ts";
import type { Grant } from "./permissions.ts";
import { LEEWAY_SEC, type Tokens } from "./tokens.ts";

/** What a client shows, and where: a key never stands in a query, where logs and histories keep it. */
export type Credential = { text: string; from: "header" | "frame" | "query" };

/** Three parts of base64url (RFC 7519 §3.1), which no key has. */
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** The keys and tokens of the configuration. Both are undefined where the server is open to all. */
export type Credentials = {
  keys: Pick<KeyRing, "find" | "current"> | undefined;
  tokens: Pick<Tokens, "verify" | "has" | "refresh"> | undefined;
};

/** How often key sets are fetched anew, in milliseconds. */
const REFRESH_MS = 600_000;

/** Says what a credential allows. */
export class Authenticator {
  #credentials: Credentials;
  #generation = 0;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /** Whether a credential is asked for. */
  get required(): boolean {
    return this.#credentials.keys !== undefined || this.#credentials.tokens !== undefined;
  }

  /**
   * What the credential allows.
   *
   * @throws {ProtocolError} `UNAUTHORIZED`, in words that tell nothing of the credential
   */
  async check(credential: Credential | undefined): Promise<Grant> {
    const grant = await this.#grantOf(credential);
    // Keys may have been read again while a signature was checked.
    if (this.current(grant) === undefined)
      throw new ProtocolError("UNAUTHORIZED", "The credential has ended meanwhile");
    return grant;
  }

  async #grantOf(credential: Credential | undefined): Promise<Grant> {
    const { keys, tokens } = this.#credentials;
    if (credential === undefined) throw new ProtocolError("UNAUTHORIZED", "A key or a token is needed");
    const { text, from } = credential;
    if (TOKEN.test(text)) {
      if (tokens === undefined) throw new ProtocolError("UNAUTHORIZED", "This server takes no tokens");
      return tokens.verify(text);
    }
    if (from === "query") {
      throw new ProtocolError("UNAUTHORIZED", "'access_token' must be a token; a key goes into a header");
    }
    const grant = keys?.find(text);
    if (grant === undefined) throw new ProtocolError("UNAUTHORIZED", "The key is not one that this server knows");
    return grant;
  }

  /** Goes by other keys from now on. */
  replace(credentials: Partial<Credentials>): void {
    this.#credentials = { ...this.#credentials, ...credentials };
    this.#generation++;
  }

  /** Counts how often keys were replaced. */
  get generation(): number {
    return this.#generation;
  }

  /** What a grant allows by the keys and the time of now; undefined where it has ended. */
  current(grant: Grant): Grant | undefined {
    const { keys, tokens } = this.#credentials;
    if (grant.expiresAt !== undefined && Date.now() >= grant.expiresAt + 1000 * LEEWAY_SEC) return undefined;
    if (tokens?.has(grant)) return grant;
    return keys?.current(grant);
  }

  /** Fetches key sets anew. @throws {Error} where one cannot be had: the old one stays */
  async refresh(): Promise<void> {
    await this.#credentials.tokens?.refresh();
    this.#generation++;
  }

  /** Fetches key sets anew from time to time. Returns how to stop that. @param failed called where one cannot be had */
  keepFresh(failed: (cause: unknown) => void): () => void {
    const timer = setInterval(() => void this.refresh().catch(failed), REFRESH_MS).unref();
    return () => clearInterval(timer);
  }
}
