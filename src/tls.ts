import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:tls";

/** A certificate and its private key, PEM. */
export type TlsPair = { cert: string; key: string };

/**
 * Reads the pair of `TLS_CERT_FILE` and `TLS_KEY_FILE`; undefined if they are not set.
 *
 * @throws {Error} that names the setting, and says what is wrong
 */
export async function readTls(settings: {
  tlsCertFile?: string | undefined;
  tlsKeyFile?: string | undefined;
}): Promise<TlsPair | undefined> {
  const { tlsCertFile, tlsKeyFile } = settings;
  if (tlsCertFile === undefined || tlsKeyFile === undefined) return undefined;
  const cert = named("TLS_CERT_FILE", () => readFileSync(tlsCertFile, "utf8"));
  const key = named("TLS_KEY_FILE", () => readFileSync(tlsKeyFile, "utf8"));
  const certificate = named("TLS_CERT_FILE", () => new X509Certificate(cert));
  const privateKey = named("TLS_KEY_FILE", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error("TLS_KEY_FILE cannot be used: it is not the key of the certificate in TLS_CERT_FILE");
  }
  await prove({ cert, key });
  return { cert, key };
}

/** Shakes hands once with the pair: what OpenSSL reads of a file is more than its first certificate. */
async function prove(pair: TlsPair): Promise<void> {
  const refused = (cause: unknown) =>
    new Error(`TLS_CERT_FILE cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  try {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: pair, fetch: () => new Response() });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connect({ host: "127.0.0.1", port: server.port ?? 0, rejectUnauthorized: false }, resolve);
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the handshake was broken off")));
    await promise.finally(() => {
      socket.destroy();
      void server.stop(true);
    });
  } catch (cause) {
    throw refused(cause);
  }
}

function named<T>(setting: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Error(`${setting} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
