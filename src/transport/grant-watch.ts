import type { Authenticator } from "../auth/authenticator.ts";
import { may } from "../auth/permissions.ts";
import { LEEWAY_SEC } from "../auth/tokens.ts";
import type { Broker } from "../broker/broker.ts";
import type { Logger } from "../ops/logger.ts";
import type { Throttle } from "../ops/throttle.ts";
import { CLOSE } from "../protocol/codes.ts";
import { authorize, factsOf, type ConnectedPeer } from "./connected-peer.ts";

/** How often grants are looked at, in milliseconds. */
const LOOK_MS = 1000;

export type GrantWatchDeps = {
  auth: Authenticator;
  broker: Broker;
  peers: Iterable<ConnectedPeer>;
  throttle: Throttle;
  log: Logger;
  /** The time, in milliseconds since 1970 UTC. */
  now(): number;
};

/**
 * Ends what a credential allowed when that credential ends: a token that has expired, after `LEEWAY_SEC`, and a key that is
 * gone, at once.
 */
export class GrantWatch {
  readonly #deps: GrantWatchDeps;
  readonly #toldOfExpiry = new WeakSet<ConnectedPeer>();
  #generation = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(deps: GrantWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    if (!this.#deps.auth.required) return;
    this.#timer ??= setInterval(() => {
      try {
        this.look();
      } catch (cause) {
        this.#deps.log.error("fault while grants were looked at", { cause });
      }
    }, LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Tells and closes those whose token has expired. */
  look(): void {
    if (this.#generation !== this.#deps.auth.generation) this.recheck();
    const now = this.#deps.now();
    for (const peer of [...this.#deps.peers]) {
      const expiresAt = peer.grant?.expiresAt;
      if (expiresAt === undefined || now < expiresAt) this.#toldOfExpiry.delete(peer);
      else if (now >= expiresAt + 1000 * LEEWAY_SEC) this.#close(peer, "its token has expired");
      else if (!this.#toldOfExpiry.has(peer)) {
        this.#toldOfExpiry.add(peer);
        peer.notice({ type: "info", msg: "token_expired" });
      }
    }
  }

  /** To be called when the keys have changed: closes those whose key is gone, and ends what theirs does not allow any more. */
  recheck(): void {
    const { auth, broker } = this.#deps;
    this.#generation = auth.generation;
    for (const peer of [...this.#deps.peers]) {
      if (peer.grant === undefined) continue;
      const grant = auth.current(peer.grant);
      if (grant === undefined) {
        this.#close(peer, "its key is gone");
        continue;
      }
      authorize(peer, grant);
      const revoked = broker.revoke(peer.session, (topic) => may(grant, "subscribe", topic));
      // A stream is its one subscription.
      if (peer.transport === "sse" && revoked.length > 0) this.#close(peer, "its key does not allow it any more");
    }
  }

  #close(peer: ConnectedPeer, reason: string): void {
    const { broker, throttle } = this.#deps;
    throttle.warn("a connection is closed: it is no longer authorized", { ...factsOf(peer), reason });
    // What it has asked for and is not done yet is not allowed either.
    peer.grant = undefined;
    broker.end(peer.session, "connection_closed");
    peer.close(CLOSE.unauthorized);
    // Not when the client has read everything, which may take it as long as it likes.
    peer.finish();
  }
}
