import type { Server } from "bun";
import type { Clock } from "../ops/clock.ts";
import type { Logger } from "../ops/logger.ts";
import type { Progress, Watched } from "../kernel/progress.ts";
import { encodeNotice } from "../protocol/encode.ts";

/** The topic of Bun's own publish that a WebSocket is subscribed to for its heartbeat; clients' topics are not Bun's. */
export const HEARTBEAT_TOPIC = "heartbeat";

/** Heartbeats that may pass without a sign of life before a connection counts as dead. */
const MISSES = 2;

/** Heartbeats after which one counts as dead of which the kernel cannot tell whether it is slow. */
const MISSES_UNSEEN = 10;

/** How many connections have their heartbeat in one turn of the event loop, so that other clients do not wait. */
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
  /** Undefined where the system does not tell. */
  progress: Progress | undefined;
  /** Told of a peer that counts as dead. */
  giveUp(peer: P): void;
};

/**
 * Sends `info` `ping` to every WebSocket each `intervalMs`, a few at a time, and gives up those that have been silent for
 * three of them.
 *
 * Bun's idle timeout cannot tell them: each publish starts it anew.
 */
export class Heartbeat<P extends HeartbeatPeer> {
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #round: Iterator<P> | undefined;
  /** What the last slice left to the next, in parts of a peer. */
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

  /** Into how many slices a round is cut that goes to so many. */
  #slices(size: number): number {
    return Math.max(1, Math.min(Math.ceil(size / SLICE), Math.floor(this.#intervalMs / MIN_DELAY_MS)));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** How many of `size` the next slice takes, so that those of a round together take each once. */
  #share(size: number): number {
    const slices = this.#slices(size);
    const due = this.#carried + size;
    this.#carried = due % slices;
    return Math.floor(due / slices);
  }

  /** The next `count` peers, each once, going round and round. */
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
      if (!this.#isDead(peer, ports.progress)) return true;
      ports.giveUp(peer);
      return false;
    });
    ports.progress?.begin(living.filter(({ unanswered, look }) => unanswered > 0 && look === undefined));
    // None stays subscribed between heartbeats: a subscription takes memory in Bun and slows every send.
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
