import type { Server } from "bun";
import type { Clock } from "../ops/clock.ts";
import type { Logger } from "../ops/logger.ts";
import type { Progress, Watched } from "../kernel/progress.ts";
import { encodeNotice } from "../protocol/encode.ts";

/** The topic of Bun's own publish that carries heartbeats to WebSockets. Clients' topics are not Bun's. */
export const HEARTBEAT_TOPIC = "heartbeat";

/** Heartbeats that may pass without a sign of life before a connection counts as dead. */
const MISSES = 2;

/** The same for a connection whose socket was not found, so that the kernel cannot tell whether it is slow. */
const MISSES_UNSEEN = 10;

/** How many connections get a heartbeat in one turn, if the interval allows, so that other clients do not wait. */
const SLICE = 8;

/** The least time, in milliseconds, between two slices. */
const MIN_DELAY_MS = 4;

/** A connection, as the heartbeat sees it. */
export interface HeartbeatPeer extends Watched {
  /** Joins or leaves {@link HEARTBEAT_TOPIC}, which only a WebSocket can. */
  listen(on: boolean): void;
  /** Heartbeats since it last gave a sign of life: a frame, a pong, or bytes taken off its backlog. */
  unanswered: number;
  /** Sends a heartbeat in the transport's own way. */
  ping(): void;
}

export type HeartbeatPorts<P> = {
  peers: Iterable<P> & { readonly size: number };
  /** Undefined if the system does not tell. */
  progress: Progress | undefined;
  /** Called at each heartbeat for a peer that has not answered the one before. */
  missed(): void;
  /** Called for a peer that counts as dead. */
  giveUp(peer: P): void;
};

/**
 * Sends every peer a heartbeat each `intervalMs`, a few peers at a time; a WebSocket gets `info` `ping`. Gives up a
 * peer that has left two unanswered by the time of the third.
 *
 * Bun's idle timeout cannot find dead peers: each publish restarts it.
 */
export class Heartbeat<P extends HeartbeatPeer> {
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #round: Iterator<P> | undefined;
  /** What the division into slices left over the last time. */
  #carried = 0;

  constructor(intervalMs: number, clock: Clock, log: Logger) {
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#log = log;
  }

  get enabled(): boolean {
    return this.#intervalMs > 0;
  }

  start(server: Pick<Server<unknown>, "publish">, ports: HeartbeatPorts<P>): void {
    if (!this.enabled) return;
    this.#timer = setTimeout(
      () => {
        try {
          this.#send(server, ports, this.#next(ports.peers, this.#share(ports.peers.size)));
        } catch (cause) {
          this.#log.error("fault in the heartbeat", { cause });
        }
        this.start(server, ports);
      },
      Math.round(this.#intervalMs / this.#slices(ports.peers.size)),
    );
  }

  /** How many slices a round of `size` peers takes. */
  #slices(size: number): number {
    return Math.max(1, Math.min(Math.ceil(size / SLICE), Math.floor(this.#intervalMs / MIN_DELAY_MS)));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** How many of `size` peers the next slice takes. The slices of a round together take each peer once. */
  #share(size: number): number {
    const slices = this.#slices(size);
    const due = this.#carried + size;
    this.#carried = due % slices;
    return Math.floor(due / slices);
  }

  /** The next `count` peers, each at most once. After the last peer comes the first. */
  #next(peers: Iterable<P>, count: number): P[] {
    const slice = new Set<P>();
    let begun = false;
    while (slice.size < count) {
      this.#round ??= peers[Symbol.iterator]();
      const { value, done } = this.#round.next();
      if (done !== true) {
        if (slice.has(value)) break;
        slice.add(value);
        continue;
      }
      this.#round = undefined;
      if (begun) break;
      begun = true;
    }
    return [...slice];
  }

  #send(server: Pick<Server<unknown>, "publish">, ports: HeartbeatPorts<P>, slice: readonly P[]): void {
    const living = slice.filter((peer) => {
      const isDead = this.#isDead(peer, ports.progress);
      if (peer.unanswered > 0) ports.missed();
      if (!isDead) return true;
      ports.giveUp(peer);
      return false;
    });
    ports.progress?.begin(living.filter(({ unanswered, look }) => unanswered > 0 && look === undefined));
    // No peer stays subscribed between heartbeats: a subscription takes memory in Bun and slows every send.
    for (const peer of living) peer.listen(true);
    server.publish(HEARTBEAT_TOPIC, encodeNotice({ type: "info", msg: "ping" }, this.#clock.iso()), false);
    for (const peer of living) {
      peer.listen(false);
      peer.unanswered++;
      peer.ping();
    }
  }

  #isDead(peer: P, progress: Progress | undefined): boolean {
    if (peer.unanswered === 0) {
      peer.look = undefined;
      return false;
    }
    const seen = peer.look !== undefined;
    if (progress?.moved(peer) === true) {
      peer.unanswered = 0;
      return false;
    }
    return peer.unanswered >= (seen || progress === undefined ? MISSES : MISSES_UNSEEN);
  }
}
