import type { Authenticator } from "./auth/authenticator.ts";
import { openKeys, openTokens, type CredentialSettings } from "./auth/open.ts";
import type { Logger } from "./ops/logger.ts";
import { readTls, type TlsPair } from "./tls.ts";

export type Reloaded = {
  auth: Authenticator;
  /** Ends what credentials no longer allow. */
  recheck(): void;
  renewTls(pair: TlsPair): void;
};

/**
 * Makes what SIGHUP calls: it reads keys and certificate again. What cannot be used stays as it was, keeps nothing else from being
 * read, and is logged. Calls are served one after the other, so that what was read first does not win over what was read
 * last.
 */
export function makeReload(
  settings: CredentialSettings & Parameters<typeof readTls>[0],
  log: Logger,
  { auth, recheck, renewTls }: Reloaded,
): () => Promise<void> {
  const renew = async (what: string, read: () => Promise<void>): Promise<boolean> => {
    try {
      await read();
      return true;
    } catch (cause) {
      log.error(`${what} stay as they were: they cannot be read again`, { cause });
      return false;
    }
  };
  const reload = async () => {
    const keys = await renew("keys", async () => auth.replace({ keys: await openKeys(settings) }));
    const tokens = await renew("the keys of tokens", async () => auth.replace({ tokens: await openTokens(settings) }));
    recheck();
    const tls = await renew("certificate and key", async () => {
      const pair = await readTls(settings);
      if (pair !== undefined) renewTls(pair);
    });
    if (keys && tokens && tls) log.info("keys and certificate were read again");
  };
  let last = Promise.resolve();
  return () => (last = last.then(reload));
}
