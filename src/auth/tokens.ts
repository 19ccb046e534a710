import { createPublicKey, type KeyObject } from "node:crypto";
import { createRemoteJWKSet, errors, jwtVerify, SignJWT, type JWTPayload, type JWTVerifyOptions } from "jose";
import { z } from "zod";
import { ProtocolError } from "../protocol/codes.ts";
import { shorten } from "../protocol/read.ts";
import { Grant, permissionFields, type Permissions } from "./permissions.ts";

/** How far clocks may differ, in seconds. */
export const LEEWAY_SEC = 30;

/** What `JWT_PUBLIC_KEY_FILE` and `JWT_JWKS_URL` may sign with; never what a token says by itself. */
const PUBLIC_ALGORITHMS: NonNullable<JWTVerifyOptions["algorithms"]> = ["RS256", "ES256", "EdDSA"];

/** RFC 7518 §3.2: a key of HS256 has as many bits as its hash. */
const LEAST_SECRET_BYTES = 32;

/** The end of the year 9999, in seconds since 1970 UTC: later ones have no form in RFC 3339 §5.6. */
const LATEST_SEC = 253_402_300_800;

/** RFC 7518 §3.3. */
const LEAST_RSA_BITS = 2048;

/** How long the server of a JWKS may take, in milliseconds. */
const JWKS_TIMEOUT_MS = 5000;

/** How many verified tokens are remembered, and how many characters such a token has at most. */
export const MOST_VERIFIED = 1024;
const LONGEST_REMEMBERED = 2048;

const claim = z.strictObject(permissionFields).prefault({});

/** What the claims `iss` and `aud` of a token must be, where they are given. */
export type TokenLimits = { issuer?: string | undefined; audience?: string | undefined };

type Verified = { payload: JWTPayload; kid?: string | undefined };

/** One source of keys. */
export type KeySource = {
  verify(token: string, options: JWTVerifyOptions): Promise<Verified>;
  /** Names the key that a token was checked with. */
  issuer(verified: Verified): string;
  /** Whether it still has that key. */
  has(issuer: string): boolean;
  /** Has its keys fetched anew, where they come from elsewhere. */
  refresh?(): Promise<void>;
};

/** Checks JSON Web Tokens (RFC 7519) against the keys of the configuration. */
export class Tokens {
  readonly #sources: readonly KeySource[];
  readonly #options: JWTVerifyOptions;
  readonly #verified = new Map<string, Promise<Grant>>();

  /** @param sources tried one after the other */
  constructor(sources: readonly KeySource[], { issuer, audience }: TokenLimits) {
    this.#sources = sources;
    this.#options = {
      clockTolerance: LEEWAY_SEC,
      requiredClaims: ["exp"],
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience }),
    };
  }

  /** @throws {Error} where keys cannot be fetched: the old ones stay */
  async refresh(): Promise<void> {
    for (const source of this.#sources) await source.refresh?.();
  }

  static readonly secret = secretSource;
  static readonly publicKey = publicKeySource;
  static readonly jwks = jwksSource;

  /** @throws {ProtocolError} `UNAUTHORIZED`, or `UNAVAILABLE` where a key cannot be fetched that may be the token's */
  async verify(token: string): Promise<Grant> {
    const known = await this.#verified.get(token);
    if (known?.expiresAt !== undefined && Date.now() < known.expiresAt && this.has(known)) return known;
    const grant = this.#grantOf(token);
    this.#remember(token, grant);
    try {
      return await grant;
    } catch (cause) {
      if (this.#verified.get(token) === grant) this.#verified.delete(token);
      throw cause;
    }
  }

  /** Connections of one token share a grant. A client that comes back is let in without another look at its signature. */
  #remember(token: string, grant: Promise<Grant>): void {
    if (token.length > LONGEST_REMEMBERED) return;
    this.#verified.delete(token);
    for (const oldest of this.#verified.keys()) {
      if (this.#verified.size < MOST_VERIFIED) break;
      this.#verified.delete(oldest);
    }
    this.#verified.set(token, grant);
  }

  async #grantOf(token: string): Promise<Grant> {
    let problem = "The token is not signed by a key that this server knows";
    let outage: unknown;
    for (const source of this.#sources) {
      try {
        const verified = await source.verify(token, this.#options);
        return grantOf(verified.payload, source.issuer(verified));
      } catch (cause) {
        if (cause instanceof ProtocolError) throw cause;
        if (isOutage(cause)) outage = cause;
        else problem = problemOf(cause) ?? problem;
      }
    }
    if (outage !== undefined) {
      throw new ProtocolError("UNAVAILABLE", "The keys of tokens cannot be fetched now; try again", { cause: outage });
    }
    throw new ProtocolError("UNAUTHORIZED", problem);
  }

  /** Whether the key that a grant was checked with is still there. */
  has({ issuer }: Grant): boolean {
    return this.#sources.some((source) => source.has(issuer));
  }
}

/** A token to be made: what it allows, to whom, and for how long. */
export type TokenRequest = { sub: string; permissions: Permissions; ttlSec: number } & TokenLimits;

/**
 * Makes a token that is signed with HS256.
 *
 * @param file what `JWT_SECRET_FILE` holds
 * @throws {Error} where that is too short
 */
export function signToken(file: Buffer, { sub, permissions, ttlSec, issuer, audience }: TokenRequest): Promise<string> {
  const token = new SignJWT({ pubsub: { ...permissions } })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(sub)
    .setIssuedAt()
    .setExpirationTime(`${ttlSec}s`);
  if (issuer !== undefined) token.setIssuer(issuer);
  if (audience !== undefined) token.setAudience(audience);
  return token.sign(secretIn(file));
}

/** The secret in a file, without the line end that an editor leaves behind it. */
function secretIn(file: Buffer): Buffer {
  let end = file.length;
  while (end > 0 && (file[end - 1] === 0x0a || file[end - 1] === 0x0d)) end--;
  if (end >= LEAST_SECRET_BYTES) return file.subarray(0, end);
  throw new Error(`a secret has ${LEAST_SECRET_BYTES} bytes or more, and this one has ${end}`);
}

function grantOf(payload: JWTPayload, issuer: string): Grant {
  const read = claim.safeParse(payload["pubsub"]);
  if (!read.success) {
    const [issue] = read.error.issues;
    const where = ["pubsub", ...(issue?.path ?? [])].join(".");
    throw new ProtocolError(
      "UNAUTHORIZED",
      `The token's claim '${where}' is not as it should be: ${shorten(issue?.message ?? "")}`,
    );
  }
  const { sub, exp = Number.NaN } = payload;
  if (typeof sub !== "string" || sub === "")
    throw new ProtocolError("UNAUTHORIZED", "The token's claim 'sub' is missing");
  if (!(exp < LATEST_SEC)) throw new ProtocolError("UNAUTHORIZED", "The token's claim 'exp' is not a time");
  return new Grant({ owner: `sub ${sub}`, permissions: read.data, issuer, expiresAt: 1000 * exp });
}

/** Whether keys could not be fetched, so that nothing is known of the token. `jose` has no class of its own for most of these. */
function isOutage(cause: unknown): boolean {
  if (cause instanceof errors.JOSEError)
    return cause.code === errors.JOSEError.code || cause instanceof errors.JWKSTimeout;
  return cause instanceof Error;
}

/** What is wrong with a token, in words for the one who sent it; undefined where another key may fit. */
function problemOf(cause: unknown): string | undefined {
  if (cause instanceof errors.JWTExpired) return "The token has expired";
  if (cause instanceof errors.JWTClaimValidationFailed) {
    if (cause.claim === "nbf") return "The token is not valid yet";
    const missing = cause.reason === "missing" ? "is missing" : "is not the one that this server wants";
    return `The token's claim '${cause.claim}' ${missing}`;
  }
  return undefined;
}

function secretSource(file: Buffer): KeySource {
  const secret = secretIn(file);
  const id = `secret ${hashOf(secret)}`;
  return {
    verify: (token, options) => jwtVerify(token, secret, { ...options, algorithms: ["HS256"] }),
    issuer: () => id,
    has: (issuer) => issuer === id,
  };
}

function publicKeySource(pem: string): KeySource {
  const key = createPublicKey(pem);
  const algorithm = algorithmOf(key);
  const id = `public key ${hashOf(pem)}`;
  return {
    verify: (token, options) => jwtVerify(token, key, { ...options, algorithms: [algorithm] }),
    issuer: () => id,
    has: (issuer) => issuer === id,
  };
}

function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): string {
  if (type === "ed25519") return "EdDSA";
  if (type === "ec" && details.namedCurve === "prime256v1") return "ES256";
  if (type === "rsa" && (details.modulusLength ?? 0) >= LEAST_RSA_BITS) return "RS256";
  throw new Error(`must be an RSA key of ${LEAST_RSA_BITS} bits or more, a P-256 or an Ed25519 key`);
}

async function jwksSource(url: string): Promise<KeySource> {
  // What was fetched is good until it is fetched anew: a server of keys that is away keeps nobody out.
  const keys = createRemoteJWKSet(new URL(url), { timeoutDuration: JWKS_TIMEOUT_MS, cacheMaxAge: Infinity });
  await keys.reload();
  /** Names the keys that a token may have been checked with: those of its `kid`, or all. */
  const id = (kid: string | undefined) => {
    const matching = (keys.jwks()?.keys ?? []).filter((key) => kid === undefined || key.kid === kid);
    return `jwks ${kid ?? ""} ${hashOf(JSON.stringify(matching))}`;
  };
  return {
    verify: async (token, options) => {
      const { payload, protectedHeader } = await jwtVerify(token, keys, { ...options, algorithms: PUBLIC_ALGORITHMS });
      return { payload, kid: protectedHeader.kid };
    },
    issuer: ({ kid }) => id(kid),
    has: (issuer) => [undefined, ...(keys.jwks()?.keys ?? []).map(({ kid }) => kid)].some((kid) => id(kid) === issuer),
    refresh: () => keys.reload(),
  };
}

function hashOf(key: string | Buffer): string {
  return new Bun.CryptoHasher("sha256").update(key).digest("hex");
}
