import { ProtocolError } from "../protocol/codes.ts";
import type { KeyRing } from "./keys.ts";
import type { Grant } from "./permissions.ts";
import type { Tokens } from "./tokens.ts";

/** What a client shows, and where: a key never stands in a query, where logs and histories keep it. */
export type Credential = { text: string; from: "header" | "frame" | "query" };

/** Three parts of base64url (RFC 7519 §3.1), which no key has. */
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** The keys and tokens of the configuration. Both are undefined where the server is open to all. */
export type Credentials = { keys: KeyRing | undefined; tokens: Tokens | undefined };

/** Says what a credential allows. */
export class Authenticator {
  #credentials: Credentials;

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
    const { keys, tokens } = this.#credentials;
    if (credential === undefined) throw new ProtocolError("UNAUTHORIZED", "A key or a token is needed");
    const { text, from } = credential;
    if (TOKEN.test(text)) {
      if (tokens === undefined) throw new ProtocolError("UNAUTHORIZED", "This server takes no tokens");
      return tokens.verify(text);
    }
    if (from === "query")
      throw new ProtocolError("UNAUTHORIZED", "'access_token' must be a token; a key goes into a header");
    const grant = keys?.find(text);
    if (grant === undefined) throw new ProtocolError("UNAUTHORIZED", "The key is not one that this server knows");
    return grant;
  }

  /** Goes by other keys from now on. */
  replace(credentials: Credentials): void {
    this.#credentials = credentials;
  }

  /** What a grant allows by the keys of now; undefined where it is revoked. */
  current(grant: Grant): Grant | undefined {
    const { keys, tokens } = this.#credentials;
    if (tokens?.has(grant)) return grant;
    return keys?.current(grant);
  }
}
