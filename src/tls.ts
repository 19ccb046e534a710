import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/** A certificate and its private key, PEM. */
export type TlsPair = { cert: string; key: string };

/**
 * Reads the pair of `TLS_CERT_FILE` and `TLS_KEY_FILE`; undefined if they are not set.
 *
 * @throws {Error} that names the setting, and says what is wrong
 */
export function readTls(settings: {
  tlsCertFile?: string | undefined;
  tlsKeyFile?: string | undefined;
}): TlsPair | undefined {
  const { tlsCertFile, tlsKeyFile } = settings;
  if (tlsCertFile === undefined || tlsKeyFile === undefined) return undefined;
  const cert = named("TLS_CERT_FILE", () => readFileSync(tlsCertFile, "utf8"));
  const key = named("TLS_KEY_FILE", () => readFileSync(tlsKeyFile, "utf8"));
  const certificate = named("TLS_CERT_FILE", () => new X509Certificate(cert));
  const privateKey = named("TLS_KEY_FILE", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error("TLS_KEY_FILE cannot be used: it is not the key of the certificate in TLS_CERT_FILE");
  }
  return { cert, key };
}

function named<T>(setting: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Error(`${setting} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
