import { readFileSync } from "node:fs";
import type { Credentials } from "./authenticator.ts";
import { KeyRing } from "./keys.ts";
import { Tokens } from "./tokens.ts";

/** Where keys are, by the settings that say so. */
export type CredentialSettings = {
  apiKeysFile?: string | undefined;
  jwtSecretFile?: string | undefined;
  jwtPublicKeyFile?: string | undefined;
  jwtJwksUrl?: string | undefined;
  jwtIssuer?: string | undefined;
  jwtAudience?: string | undefined;
};

/**
 * Reads the keys of the configuration.
 *
 * @throws {Error} that names the setting, and says what is wrong with what it leads to
 */
export async function openCredentials(settings: CredentialSettings): Promise<Credentials> {
  const { apiKeysFile, jwtSecretFile, jwtPublicKeyFile, jwtJwksUrl, jwtIssuer, jwtAudience } = settings;
  const keys = await named("API_KEYS_FILE", apiKeysFile, (path) => KeyRing.parse(readFileSync(path, "utf8")));
  const secret = await named("JWT_SECRET_FILE", jwtSecretFile, (path) => readFileSync(path));
  const publicKey = await named("JWT_PUBLIC_KEY_FILE", jwtPublicKeyFile, (path) => readFileSync(path, "utf8"));
  const limits = { issuer: jwtIssuer, audience: jwtAudience };
  const sources = [
    await named("JWT_SECRET_FILE", secret, (bytes) => Tokens.secret(bytes)),
    await named("JWT_PUBLIC_KEY_FILE", publicKey, (pem) => Tokens.publicKey(pem)),
    await named("JWT_JWKS_URL", jwtJwksUrl, (url) => Tokens.jwks(url)),
  ].filter((source) => source !== undefined);
  return { keys, tokens: sources.length === 0 ? undefined : new Tokens(sources, limits) };
}

/** Makes something of a setting, if it is there. What goes wrong is said with its name. */
async function named<T, R>(setting: string, value: T | undefined, make: (value: T) => R | Promise<R>) {
  if (value === undefined) return undefined;
  try {
    return await make(value);
  } catch (cause) {
    throw new Error(`${setting} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
