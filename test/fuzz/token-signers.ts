import { createHmac, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { Authenticator } from "../../src/auth/authenticator.ts";
import { KeyRing, makeKey } from "../../src/auth/keys.ts";
import { Tokens } from "../../src/auth/tokens.ts";
import { declareForeign } from "../support/contract.ts";
import { AUDIENCE, ISSUER } from "../support/credentials.ts";

/** Signs what stands before the last dot of a token. */
export type Signer = { readonly alg: string; readonly kid?: string; sign(text: string): Buffer };

const SECRET = Buffer.from("a secret of thirty-two bytes, at least");

const hmac = (secret: Buffer | string, bits = 256): Signer => ({
  alg: `HS${bits}`,
  sign: (text) => createHmac(`sha${bits}`, secret).update(text).digest(),
});
const es256 = (key: KeyObject): Signer => ({
  alg: "ES256",
  sign: (text) => sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }),
});

/** An authenticator that knows keys of every kind, those who sign with them, and strangers who do not. */
export class TokenSigners implements Disposable {
  readonly auth: Authenticator;
  readonly known: readonly Signer[];
  readonly strangers: readonly Signer[];
  readonly apiKey: string;
  readonly #stop: () => void;

  private constructor(auth: Authenticator, known: Signer[], strangers: Signer[], apiKey: string, stop: () => void) {
    this.auth = auth;
    this.known = known;
    this.strangers = strangers;
    this.apiKey = apiKey;
    this.#stop = stop;
  }

  static async open(): Promise<TokenSigners> {
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const ed = generateKeyPairSync("ed25519");
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = ec.publicKey.export({ type: "spki", format: "pem" }).toString();
    const jwk = (key: KeyObject, kid: string) => ({ ...key.export({ format: "jwk" }), kid, use: "sig" });
    const keys = [jwk(ed.publicKey, "ed"), jwk(rsa.publicKey, "rsa")];
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => Response.json({ keys }) });
    const foreign = declareForeign(server.url.href);
    const sources = [Tokens.secret(SECRET), Tokens.publicKey(pem), await Tokens.jwks(server.url.href)];
    const tokens = new Tokens(sources, { issuer: ISSUER, audience: AUDIENCE });
    const { key, entry } = makeKey("one", { publish: ["*"], subscribe: ["*"], admin: true });
    const known: Signer[] = [
      hmac(SECRET),
      es256(ec.privateKey),
      { alg: "EdDSA", kid: "ed", sign: (text) => sign(null, Buffer.from(text), ed.privateKey) },
      { alg: "RS256", kid: "rsa", sign: (text) => sign("sha256", Buffer.from(text), rsa.privateKey) },
    ];
    const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const strangers: Signer[] = [
      ...[pem, pem.trim(), "", SECRET.subarray(1), `${SECRET}\n`, JSON.stringify(keys[1])].map((secret) =>
        hmac(secret),
      ),
      es256(stranger.privateKey),
      { alg: "none", sign: () => Buffer.alloc(0) },
      hmac(SECRET, 512),
      { alg: "ES256", sign: () => Buffer.alloc(64) },
    ];
    const stop = () => {
      foreign[Symbol.dispose]();
      void server.stop(true);
    };
    return new TokenSigners(new Authenticator({ keys: new KeyRing([entry]), tokens }), known, strangers, key, stop);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}

/** The order of the group of P-256. Where `s` signs, the order less `s` signs as well. */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export function otherEcSignature(signature: Buffer): Buffer {
  const s = P256_ORDER - BigInt(`0x${signature.toString("hex", 32)}`);
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, "0"), "hex")]);
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The same bytes in base64url with other bits in the part of the last character that says nothing (RFC 4648 §3.5). */
export function otherSpellings(encoded: string): string[] {
  const unused = { 2: 4, 3: 2 }[encoded.length % 4] ?? 0;
  const last = ALPHABET.indexOf(encoded.at(-1) ?? "");
  return Array.from({ length: (1 << unused) - 1 }, (_, bits) => encoded.slice(0, -1) + ALPHABET[last | (bits + 1)]);
}
