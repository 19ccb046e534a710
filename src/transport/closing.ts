import type { Progress } from "../kernel/progress.ts";
import type { Logger } from "../ops/logger.ts";
import type { NextTurn } from "../ops/next-turn.ts";
import { factsOf, type ConnectedPeer } from "./connected-peer.ts";

export type ClosingDeps = {
  log: Logger;
  nextTurn: NextTurn;
  /** How long, in milliseconds, a client may take to read what it was sent. */
  closeGraceMs: number;
  /** How long a client may take to say that it has read what arrived at once, in milliseconds. */
  saySoMs: number;
  /** What all peers that are being closed may leave unsent together, in bytes. */
  closingBytes: number;
  /** Undefined if the system does not tell what has arrived. */
  progress: Progress | undefined;
};

/** How many connections are closed for good in one turn of the event loop, so that other clients do not wait. */
const CLOSED_A_TURN = 16;

/** How often the server checks what clients have taken that do not say so, in milliseconds. */
const LOOK_MS = 500;

/**
 * `saySoMs` of a server. The kernel tells what has arrived, not what was read; and Bun drops a WebSocket at most 4 s after
 * its close frame, so that the connection of a client that has not read by then breaks with the first that it writes.
 */
export const SAY_SO_MS = 10_000;

/** From when on the kernel is asked, and how long a client that reads may take to say so, in milliseconds. */
const READS_MS = 2000;

type Wait = {
  timer: ReturnType<typeof setTimeout>;
  bytes: number;
  since: number;
  /** Whether something had not arrived when it was looked at. Once it has, the client must have read to make room for it. */
  isLate: boolean;
  arrivedAt: number | undefined;
};

/** Peers that are being closed. Each stays connected until its client has read what it was sent, or its grace is over. */
export class Closing {
  readonly #deps: ClosingDeps;
  /** In order: the one that waits longest comes first. */
  readonly #waits = new Map<ConnectedPeer, Wait>();
  #bytes = 0;
  readonly #read = new Set<ConnectedPeer>();
  #lookTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #ended = { told: 0, cutOff: 0 };

  constructor(deps: ClosingDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#waits.size;
  }

  get peers(): Iterable<ConnectedPeer> {
    return this.#waits.keys();
  }

  /** How many were closed so far after they had read everything (`told`), and how many before that (`cutOff`). */
  get ended(): { readonly told: number; readonly cutOff: number } {
    return { ...this.#ended };
  }

  /** Takes a peer that is sent nothing more. */
  add(peer: ConnectedPeer): void {
    const { closeGraceMs, closingBytes, progress } = this.#deps;
    const timer = setTimeout(() => this.finish(peer, "CLOSE_GRACE_MS is over"), closeGraceMs);
    const bytes = peer.unsentBytes;
    const since = performance.now();
    this.#waits.set(peer, { timer, bytes, since, isLate: false, arrivedAt: undefined });
    this.#bytes += bytes;
    for (const [longest] of this.#waits) {
      if (this.#bytes <= closingBytes || longest === peer) break;
      this.#cut(longest, "too much is unsent of all that are being closed");
    }
    if (progress !== undefined) this.#lookTimer ??= setTimeout(this.#lookLater, LOOK_MS);
  }

  /** Call when the client has read everything. */
  received(peer: ConnectedPeer): void {
    if (!this.#waits.has(peer) || this.#read.has(peer)) return;
    this.#ended.told++;
    if (this.#read.size === 0) this.#deps.nextTurn(this.#finishSome);
    this.#read.add(peer);
  }

  /** Stops waiting for a client, and leaves what it was sent to the kernel. */
  finish(peer: ConnectedPeer, reason: string): void {
    this.#cutOff(peer, reason);
    peer.finish();
  }

  /** Drops the connection that waits longest, to make room for another. Returns false if there is none. */
  makeRoom(): boolean {
    const [longest] = this.#waits.keys();
    if (longest === undefined) return false;
    this.#cut(longest, "room was needed for a new connection");
    return true;
  }

  /** Call when the connection is closed. Returns whether the peer was being closed. */
  remove(peer: ConnectedPeer): boolean {
    const wait = this.#waits.get(peer);
    if (wait === undefined) return false;
    clearTimeout(wait.timer);
    this.#bytes -= wait.bytes;
    this.#waits.delete(peer);
    this.#read.delete(peer);
    if (this.#waits.size === 0) {
      clearTimeout(this.#lookTimer);
      this.#lookTimer = undefined;
    }
    return true;
  }

  #cut(peer: ConnectedPeer, reason: string): void {
    this.#cutOff(peer, reason);
    peer.cut();
  }

  #cutOff(peer: ConnectedPeer, reason: string): void {
    const hasRead = this.#read.has(peer);
    if (!this.remove(peer) || hasRead) return;
    this.#ended.cutOff++;
    this.#deps.log.debug("closed before it had read everything", { ...factsOf(peer), reason });
  }

  /** Closes clients that do not answer a ping, as every client should, once their own systems have confirmed everything. */
  readonly #lookLater = (): void => {
    this.#lookTimer = this.#waits.size === 0 ? undefined : setTimeout(this.#lookLater, LOOK_MS);
    this.#deps.nextTurn(() => this.#look());
  };

  #look(): void {
    const { progress, saySoMs } = this.#deps;
    const now = performance.now();
    const silent: [ConnectedPeer, Wait][] = [];
    for (const [peer, wait] of this.#waits) {
      if (now - wait.since < Math.min(READS_MS, saySoMs)) break;
      silent.push([peer, wait]);
    }
    progress?.begin(silent.flatMap(([peer]) => (peer.look === undefined ? [peer] : [])));
    for (const [peer, wait] of silent) {
      if (peer.look === undefined) continue;
      const hasArrived = peer.unsentBytes === 0 && progress?.arrived(peer) === true;
      if (!hasArrived) wait.isLate = true;
      wait.arrivedAt = hasArrived ? (wait.arrivedAt ?? now) : undefined;
      if (wait.arrivedAt === undefined) continue;
      const isOver = wait.isLate ? now - wait.arrivedAt >= Math.min(READS_MS, saySoMs) : now - wait.since >= saySoMs;
      if (isOver) this.received(peer);
    }
  }

  readonly #finishSome = (): void => {
    let left = CLOSED_A_TURN;
    for (const peer of this.#read) {
      this.#read.delete(peer);
      peer.finish();
      if (--left === 0) break;
    }
    if (this.#read.size > 0) this.#deps.nextTurn(this.#finishSome);
  };
}
