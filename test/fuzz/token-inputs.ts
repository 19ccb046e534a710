import type { Credential } from "../../src/auth/authenticator.ts";
import { AUDIENCE, ISSUER } from "../support/credentials.ts";
import type { Random } from "../support/random.ts";
import { mutatedBytes, noise } from "./bytes.ts";
import type { Input } from "./fuzz.ts";
import { leaf, mutated, print, treeOf, type Json } from "./json.ts";
import { claimsLetIn, headerLetsIn } from "./token-rules.ts";
import { otherEcSignature, otherSpellings, type Signer, type TokenSigners } from "./token-signers.ts";

/** A credential, and whether it must get in; undefined where either will do. `claims` are those of a token that must. */
export type TokenInput = Input & {
  readonly credential: Credential;
  readonly letsIn: boolean | undefined;
  readonly claims?: unknown;
};

const HEADER_KEYS = ["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c", "zip", "enc", "cty"];
const HEADER_LEAVES = [
  `"none"`,
  `"HS256"`,
  `"RS256"`,
  `"ES256"`,
  `"EdDSA"`,
  `"hs256"`,
  `"ed"`,
  `"rsa"`,
  `["b64"]`,
  `["exp"]`,
  "true",
];
const CLAIM_KEYS = ["exp", "nbf", "iat", "iss", "aud", "sub", "jti", "pubsub", "publish", "subscribe", "admin"];
const CLAIM_LEAVES = [
  `"*"`,
  `["*"]`,
  `[""]`,
  `[["*"]]`,
  "true",
  `"${ISSUER}"`,
  `"${AUDIENCE}"`,
  `["${AUDIENCE}","b"]`,
  `{}`,
  "1e400",
  "0",
];

const base64 = (text: string | Buffer) => Buffer.from(text).toString("base64url");

function token(header: Json, claims: Json, signer: Signer): string {
  const text = `${base64(print(header))}.${base64(print(claims))}`;
  return `${text}.${base64(signer.sign(text))}`;
}

function changed(tree: Json, random: Random, keys: readonly string[], leaves: readonly string[]): Json {
  let result = tree;
  for (let i = 1 + random.int(3); i > 0; i--) {
    const isPlain = typeof result === "object" && "members" in result && random.chance(0.5);
    if (!isPlain) result = mutated(result, random, keys);
    else if (typeof result === "object" && "members" in result) {
      const member: [string, Json] = [
        JSON.stringify(random.pick(keys)),
        random.chance(0.8) ? random.pick(leaves) : leaf(random),
      ];
      result = { members: [...result.members, member] };
    }
  }
  return result;
}

/** One credential. Those that are not signed by a signer that is known must not get in, unless they are as they were. */
export function tokenInput(random: Random, { known, strangers, apiKey }: TokenSigners): TokenInput {
  const signer = random.pick(known);
  const from = random.pick(["header", "frame", "query"] as const);
  const header = treeOf({ alg: signer.alg, ...(signer.kid !== undefined && { kid: signer.kid }) });
  const exp = Math.floor(Date.now() / 1000) + 600;
  const claims = treeOf({
    sub: "alice",
    iss: ISSUER,
    aud: AUDIENCE,
    exp,
    pubsub: { publish: ["t"], subscribe: ["t*"] },
  });
  const valid = token(header, claims, signer);
  const input = (kind: string, text: string, letsIn = false): TokenInput => {
    const own = letsIn ? { claims: JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString()) } : {};
    return { kind, shown: JSON.stringify(text), credential: { text, from }, letsIn, ...own };
  };
  const [head = "", body = "", signature = ""] = valid.split(".");
  switch (random.int(13)) {
    case 0:
      return input("valid", valid, true);
    case 1:
    case 2: {
      const text = mutatedBytes(Buffer.from(valid), random).toString("latin1");
      return input(
        "bytes",
        text,
        text === valid || otherSpellings(signature).some((same) => text === `${head}.${body}.${same}`),
      );
    }
    case 3: {
      const own = changed(header, random, HEADER_KEYS, HEADER_LEAVES);
      return input("header, signed", token(own, claims, signer), headerLetsIn(JSON.parse(print(own)), signer));
    }
    case 4:
    case 5: {
      const own = changed(claims, random, CLAIM_KEYS, CLAIM_LEAVES);
      return input("claims, signed", token(header, own, signer), claimsLetIn(JSON.parse(print(own))));
    }
    case 6: {
      const own = base64(print(changed(header, random, HEADER_KEYS, HEADER_LEAVES)));
      return input("header, old signature", `${own}.${body}.${signature}`, own === head);
    }
    case 7: {
      const own = base64(print(changed(claims, random, CLAIM_KEYS, CLAIM_LEAVES)));
      return input("claims, old signature", `${head}.${own}.${signature}`, own === body);
    }
    case 8: {
      const stranger = random.pick(strangers);
      const own = random.pick([header, treeOf({ alg: stranger.alg }), treeOf({ alg: stranger.alg, kid: "rsa" })]);
      return input("stranger", token(own, claims, stranger));
    }
    case 9: {
      const other = token(header, treeOf({ sub: "bob" }), random.pick(known)).split(".");
      const parts = [head, body, signature, "", base64("{}"), ...other];
      const text = Array.from({ length: random.pick([1, 2, 3, 3, 3, 3, 4, 5]) }, () => random.pick(parts)).join(".");
      return input("parts", text, text === valid);
    }
    case 10: {
      const spellings = otherSpellings(signature);
      if (random.chance(0.5) && spellings.length > 0)
        return input("signature spelled otherwise", `${head}.${body}.${random.pick(spellings)}`, true);
      if (signer.alg === "ES256")
        return input(
          "the other signature of ES256",
          `${head}.${body}.${base64(otherEcSignature(Buffer.from(signature, "base64url")))}`,
          true,
        );
      const padded = random.pick(["=", "==", "A", "AA", " ", "\n", "%3D", "\0"]);
      return input(
        "padded",
        random.pick([
          `${valid}${padded}`,
          `${head}${padded}.${body}.${signature}`,
          `${head}.${body}${padded}.${signature}`,
        ]),
      );
    }
    case 11:
      return hugeInput(random, input, { header, claims, signer, valid });
    default:
      return keyInput(random, apiKey, input, from);
  }
}

type Make = (kind: string, text: string, letsIn?: boolean) => TokenInput;

function hugeInput(
  random: Random,
  input: Make,
  { header, claims, signer, valid }: { header: Json; claims: Json; signer: Signer; valid: string },
): TokenInput {
  const long = "x".repeat(random.int(300_000));
  if (random.chance(0.3))
    return input(
      "huge",
      random.pick([
        `${valid}${long}`,
        `${long}.${long}.${long}`,
        `${valid}.`.repeat(1 + random.int(1000)),
        ".".repeat(long.length),
      ]),
      long === "" && false,
    );
  const own =
    typeof claims === "object" && "members" in claims
      ? { members: [...claims.members, [`"jti"`, JSON.stringify(long)] satisfies [string, Json]] }
      : claims;
  return input("huge, signed", token(header, own, signer), true);
}

function keyInput(random: Random, apiKey: string, input: Make, from: Credential["from"]): TokenInput {
  if (random.chance(0.2))
    return { ...input("noise", noise(random, 100).toString(random.pick(["latin1", "utf8", "utf16le"] as const))) };
  const text = random.chance(0.2) ? apiKey : mutatedBytes(Buffer.from(apiKey), random).toString("latin1");
  return { ...input("key", text), letsIn: text === apiKey && from !== "query" };
}
