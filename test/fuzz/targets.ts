import { TestCredentials } from "../support/credentials.ts";
import { framesTarget } from "./frames.ts";
import { fuzz, type Tally } from "./fuzz.ts";
import { requestsTarget } from "./requests.ts";
import { TokenSigners } from "./token-signers.ts";
import { tokensTarget } from "./tokens.ts";

type Run = (seed: number, seconds: number) => Promise<Tally>;

/** What is fuzzed: from a seed, for so many seconds. */
export const TARGETS: Readonly<Record<string, Run>> = {
  frames: async (seed, seconds) => {
    using credentials = new TestCredentials();
    return await fuzz(framesTarget(credentials), seed, seconds);
  },
  requests: async (seed, seconds) => {
    using credentials = new TestCredentials();
    return await fuzz(requestsTarget(credentials), seed, seconds);
  },
  tokens: async (seed, seconds) => {
    using signers = await TokenSigners.open();
    return await fuzz(tokensTarget(signers), seed, seconds);
  },
};
