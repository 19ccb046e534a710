/** What lets a token in whose signature is right, written a second time. */
import { AUDIENCE, ISSUER } from "../support/credentials.ts";
import type { Signer } from "./token-signers.ts";

type Fields = { readonly [key: string]: unknown };

const LEEWAY_SEC = 30;

const YEAR_10000_SEC = Date.UTC(10_000, 0) / 1000;

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isPatterns = (value: unknown) =>
  value === undefined || (Array.isArray(value) && value.every((one) => typeof one === "string" && one !== ""));

/** Whether a header names its signer's algorithm, and asks for nothing that the server does not understand. */
export function headerLetsIn(header: unknown, { alg, kid }: Signer): boolean {
  if (!isObject(header) || header["alg"] !== alg) return false;
  if (header["crit"] !== undefined && !isKnownCrit(header)) return false;
  // Only a set of keys goes by `kid`.
  return kid === undefined || header["kid"] === undefined || header["kid"] === kid;
}

/** The one extension that must be understood is the usual form of the payload, said in words (RFC 7797 §3). */
function isKnownCrit({ crit, b64 }: Fields): boolean {
  return Array.isArray(crit) && crit.length > 0 && crit.every((name) => name === "b64") && b64 === true;
}

/** Whether the claims let in now. */
export function claimsLetIn(claims: unknown): claims is Fields {
  if (!isObject(claims)) return false;
  const { sub, exp, nbf, iat, iss, aud, pubsub = {} } = claims;
  const now = Date.now() / 1000;
  if (typeof sub !== "string" || sub === "") return false;
  if (typeof exp !== "number" || exp <= now - LEEWAY_SEC || exp >= YEAR_10000_SEC) return false;
  if (nbf !== undefined && (typeof nbf !== "number" || nbf > now + LEEWAY_SEC)) return false;
  if (iat !== undefined && typeof iat !== "number") return false;
  if (iss !== ISSUER || !(aud === AUDIENCE || (Array.isArray(aud) && aud.includes(AUDIENCE)))) return false;
  if (!isObject(pubsub) || Object.keys(pubsub).some((key) => !["publish", "subscribe", "admin"].includes(key)))
    return false;
  const { publish, subscribe, admin = false } = pubsub;
  return isPatterns(publish) && isPatterns(subscribe) && typeof admin === "boolean";
}
