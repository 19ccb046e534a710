import type { Metrics } from "../ops/metrics.ts";
import type { NextTurn } from "../ops/next-turn.ts";
import type { Throttle } from "../ops/throttle.ts";
import { factsOf, type ConnectedPeer } from "./connected-peer.ts";

/** How long no client need take anything before those that have waited longest are cut off, in milliseconds. */
const PATIENCE_MS = 1000;

/** After so many times {@link PATIENCE_MS} they are cut off, even if some clients take something now and then. */
const MOST_TIMES = 10;

export type UnsentDeps = {
  peers: Iterable<ConnectedPeer>;
  /** In bytes. */
  limit: number;
  nextTurn: NextTurn;
  throttle: Throttle;
  metrics: Metrics;
};

/**
 * Bounds what waits in this process for the kernel, of all peers together. Each peer has no more than a batch, or one event
 * where that is larger; but ten thousand that read nothing have ten thousand times as much.
 *
 * Past the limit all peers are held: nothing is sent to anybody until half of it is free. So it is passed by what is sent
 * to one peer at most. Where that takes too long, those that have waited longest are cut off. They can resume where they were.
 */
export class Unsent {
  readonly #deps: UnsentDeps;
  /** In order: the one that waits longest comes first. */
  readonly #bytes = new Map<ConnectedPeer, number>();
  #used = 0;
  /** Peers that could be sent more, while all are held. */
  #held: Set<ConnectedPeer> | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #freed = false;

  constructor(deps: UnsentDeps) {
    this.#deps = deps;
  }

  get used(): number {
    return this.#used;
  }

  /** Call when the kernel has left some of what a peer was sent. It counts until {@link forget}. */
  note(peer: ConnectedPeer, bytes: number): void {
    if (this.#bytes.has(peer)) return;
    this.#bytes.set(peer, bytes);
    this.#used += bytes;
    if (this.#used > this.#deps.limit && this.#held === undefined) this.#hold();
  }

  /** Call when the kernel has taken it, or the peer is gone. */
  forget(peer: ConnectedPeer): void {
    this.#held?.delete(peer);
    const bytes = this.#bytes.get(peer);
    if (bytes === undefined) return;
    this.#bytes.delete(peer);
    this.#used -= bytes;
    this.#freed = true;
    if (this.#held !== undefined && this.#hasRoom) this.#deps.nextTurn(() => this.#release());
  }

  /** Whether a peer that could be sent more has to wait. It is told when it need not any longer. */
  holds(peer: ConnectedPeer): boolean {
    this.#held?.add(peer);
    return this.#held !== undefined;
  }

  get #hasRoom(): boolean {
    return this.#used <= this.#deps.limit / 2;
  }

  #hold(): void {
    const held = new Set<ConnectedPeer>();
    this.#held = held;
    for (const peer of this.#deps.peers) {
      if (peer.blocked) continue;
      peer.hold();
      held.add(peer);
    }
    let times = 0;
    this.#freed = false;
    this.#timer = setInterval(() => {
      if (this.#freed && ++times < MOST_TIMES) this.#freed = false;
      else this.#deps.nextTurn(() => this.#makeRoom());
    }, PATIENCE_MS);
  }

  #makeRoom(): void {
    const { limit, metrics, throttle } = this.#deps;
    for (const [peer] of this.#bytes) {
      if (this.#hasRoom) break;
      metrics.refused("LIMIT_EXCEEDED", "UNSENT_EVENT_BYTES");
      const facts = { ...factsOf(peer), limit: `UNSENT_EVENT_BYTES is ${limit}` };
      throttle.warn("limit reached: a client that read nothing was cut off", facts);
      peer.cut();
      this.forget(peer);
    }
    this.#release();
  }

  #release(): void {
    if (!this.#hasRoom) return;
    clearInterval(this.#timer);
    const held = this.#held;
    this.#held = undefined;
    // The first of them may be sent so much that the others are held again.
    for (const peer of held ?? []) if (!this.holds(peer)) peer.drained();
  }
}
