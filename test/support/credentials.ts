import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SignJWT } from "jose";
import { makeKey } from "../../src/auth/keys.ts";
import type { Permissions } from "../../src/auth/permissions.ts";
import { tempFolder } from "./proxies.ts";

export const ISSUER = "https://issuer.example";
export const AUDIENCE = "pubsub";
const SECRET = "a secret of thirty-two bytes, at least";

const SOME: Permissions = { publish: ["t"], subscribe: ["t"], admin: false };
const ALL: Permissions = { publish: ["*"], subscribe: ["*"], admin: true };
const NONE: Permissions = { publish: ["other*"], subscribe: ["other*"], admin: false };

/** Keys and tokens of every kind, and the settings of a server that knows them. */
export class TestCredentials implements Disposable {
  readonly folder = tempFolder();
  readonly env: Record<string, string>;
  readonly #ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  readonly keys = { all: makeKey("all", ALL), some: makeKey("some", SOME), none: makeKey("none", NONE) };

  constructor() {
    this.writeKeys(["all", "some", "none"]);
    writeFileSync(this.path("secret"), `${SECRET}\n`);
    writeFileSync(this.path("public.pem"), this.publicPem);
    this.env = {
      API_KEYS_FILE: this.path("keys.json"),
      JWT_SECRET_FILE: this.path("secret"),
      JWT_PUBLIC_KEY_FILE: this.path("public.pem"),
      JWT_ISSUER: ISSUER,
      JWT_AUDIENCE: AUDIENCE,
    };
  }

  path(name: string): string {
    return join(this.folder.path, name);
  }

  get publicPem(): string {
    return this.#ec.publicKey.export({ type: "spki", format: "pem" }).toString();
  }

  /** Writes the file of keys, with these only. */
  writeKeys(names: readonly (keyof TestCredentials["keys"])[]): void {
    writeFileSync(this.path("keys.json"), JSON.stringify({ keys: names.map((name) => this.keys[name].entry) }));
  }

  /** A token as it should be, save for what is given. */
  token(claims: Record<string, unknown> = {}, permissions: Partial<Permissions> = SOME): Promise<string> {
    return this.#sign(claims, permissions, "HS256", Buffer.from(SECRET));
  }

  /** Tokens that must get nobody in. */
  async bad(): Promise<Record<string, string>> {
    const now = Math.floor(Date.now() / 1000);
    const good = await this.token({}, ALL);
    const [head = "", body = "", signature = ""] = good.split(".");
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims: object = JSON.parse(Buffer.from(body, "base64url").toString());
    const publicAsSecret = `${encode({ alg: "HS256", typ: "JWT" })}.${body}`;
    const hmac = createHmac("sha256", this.publicPem).update(publicAsSecret).digest("base64url");
    const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return {
      "that has expired": await this.token({ exp: now - 60 }, ALL),
      "that is not valid yet": await this.token({ nbf: now + 60 }, ALL),
      "for another audience": await this.token({ aud: "another" }, ALL),
      "of another issuer": await this.token({ iss: "https://another.example" }, ALL),
      "without a subject": await this.token({ sub: undefined }, ALL),
      "with a subject that is no text": await this.token({ sub: {} }, ALL),
      "that ends after all time": await this.token({ exp: 1e13 }, ALL),
      "without an end": await this.token({ exp: undefined }, ALL),
      "with alg none": `${encode({ alg: "none" })}.${body}.`,
      "with alg none and a signature": `${encode({ alg: "none" })}.${body}.${signature}`,
      "signed by the public key as a secret": `${publicAsSecret}.${hmac}`,
      "of an unknown key": await this.#sign({}, ALL, "ES256", stranger.privateKey, "unknown"),
      "that was tampered with": `${head}.${encode({ ...claims, sub: "root" })}.${signature}`,
      "whose claim is not as it should be": await this.token({ pubsub: { publish: "*" } }, ALL),
    };
  }

  /** A token that is signed with the private key. */
  signed(permissions: Permissions = SOME): Promise<string> {
    return this.#sign({}, permissions, "ES256", this.#ec.privateKey);
  }

  get all(): Permissions {
    return ALL;
  }

  get none(): Permissions {
    return NONE;
  }

  async #sign(
    claims: Record<string, unknown>,
    permissions: Partial<Permissions>,
    alg: string,
    key: Buffer | KeyObject,
    kid?: string,
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const own = { sub: "alice", iss: ISSUER, aud: AUDIENCE, exp: now + 600, pubsub: permissions, ...claims };
    return new SignJWT(own).setProtectedHeader({ alg, ...(kid !== undefined && { kid }) }).sign(key);
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}
