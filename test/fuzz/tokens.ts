import type { Grant } from "../../src/auth/permissions.ts";
import { ProtocolError } from "../../src/protocol/codes.ts";
import type { Target, World } from "./fuzz.ts";
import { tokenInput, type TokenInput } from "./token-inputs.ts";
import type { TokenSigners } from "./token-signers.ts";

class TokenWorld implements World<TokenInput> {
  readonly #signers: TokenSigners;

  constructor(signers: TokenSigners) {
    this.#signers = signers;
  }

  async run(inputs: readonly TokenInput[]): Promise<string[]> {
    const outcomes: string[] = [];
    for (const input of inputs) outcomes.push(await this.#outcome(input));
    return outcomes;
  }

  async #outcome({ kind, shown, credential, letsIn, claims }: TokenInput): Promise<string> {
    let grant: Grant;
    try {
      grant = await this.#signers.auth.check(credential);
    } catch (cause) {
      if (!(cause instanceof ProtocolError) || cause.code !== "UNAUTHORIZED") throw cause;
      if (letsIn === true) throw new Error(`Refused, '${cause.message}': ${kind} ${shown}`);
      return cause.message.replace(/ '.*/s, " …");
    }
    if (letsIn === false) throw new Error(`It gets in as '${grant.owner}': ${kind} ${shown}`);
    if (claims !== undefined && !Bun.deepEquals(said(claims), allowed(grant))) {
      throw new Error(`It gets ${JSON.stringify(allowed(grant))}: ${kind} ${shown}`);
    }
    return "gets in";
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const allowed = ({ permissions, expiresAt }: Grant) => ({ ...permissions, expiresAt });

/** What claims say that a grant must allow. */
function said(claims: unknown): unknown {
  const { pubsub = {}, exp } = Object(claims);
  const { publish = [], subscribe = [], admin = false } = pubsub;
  return { publish, subscribe, admin, expiresAt: 1000 * exp };
}

/** Tokens and keys, without a server around the authenticator. */
export function tokensTarget(signers: TokenSigners): Target<TokenInput> {
  return {
    name: "tokens",
    variants: ["authenticator"],
    open: async () => new TokenWorld(signers),
    make: (random) => Array.from({ length: 50 }, () => tokenInput(random, signers)),
  };
}
