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
 * Reads everything that the configuration names.
 *
 * @throws {Error} that names the setting, and says what is wrong with what it leads to
 */
export async function openCredentials(settings: CredentialSettings): Promise<Credentials> {
  return { keys: await openKeys(settings), tokens: await openTokens(settings) };
}

/** The keys. @throws {Error} as {@link openCredentials} does */
export function openKeys({ apiKeysFile }: CredentialSettings): Promise<KeyRing | undefined> {
  return named("API_KEYS_FILE", apiKeysFile, (path) => KeyRing.parse(readFileSync(path, "utf8")));
}

/** What checks tokens. @throws {Error} as {@link openCredentials} does */
export async function openTokens(settings: CredentialSettings): Promise<Tokens | undefined> {
  const { jwtSecretFile, jwtPublicKeyFile, jwtJwksUrl, jwtIssuer, jwtAudience } = settings;
  const sources = [
    await named("JWT_SECRET_FILE", jwtSecretFile, (path) => Tokens.secret(readFileSync(path))),
    await named("JWT_PUBLIC_KEY_FILE", jwtPublicKeyFile, (path) => Tokens.publicKey(readFileSync(path, "utf8"))),
    await named("JWT_JWKS_URL", jwtJwksUrl, (url) => Tokens.jwks(url)),
  ].filter((source) => source !== undefined);
  const limits = { issuer: jwtIssuer, audience: jwtAudience };
  return sources.length === 0 ? undefined : new Tokens(sources, limits);
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
