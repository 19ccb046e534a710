import type { Address, Sockets, Transfer } from "./sockets.ts";

/** How often, in milliseconds, all open files may be gone through to find those of connections. */
const SEARCH_EVERY_MS = 1000;

/** Where a connection was when it was last looked at. */
export type Look = { fd: number; transfer: Transfer };

/** A connection that may be slow instead of dead. */
export interface Watched {
  readonly remote: Address | undefined;
  look: Look | undefined;
}

/** What of the sockets it asks. */
type SocketLookup = Pick<Sockets, "find" | "transfer">;

/**
 * Tells a slow peer from a dead one where it answers nothing: one that takes bytes off its backlog, or is in the middle of
 * sending something long, cannot answer, and is alive.
 */
export class Progress {
  readonly #sockets: SocketLookup;
  #searchedAt = Number.NEGATIVE_INFINITY;

  constructor(sockets: SocketLookup) {
    this.#sockets = sockets;
  }

  /** Whether bytes have moved, in whichever direction, since `peer` was last looked at; looks again for the next time. */
  moved(peer: Watched): boolean {
    const { remote, look: before } = peer;
    if (remote === undefined || before === undefined) return false;
    const transfer = this.#sockets.transfer(before.fd, remote);
    peer.look = transfer === undefined ? undefined : { fd: before.fd, transfer };
    if (transfer === undefined) return false;
    // What the peer's kernel confirms of a heartbeat, with nothing before it, is not yet read by anybody.
    const taken = before.transfer.waiting && transfer.acked > before.transfer.acked;
    return taken || transfer.received > before.transfer.received;
  }

  /** Whether the peer's own system has everything that was handed to the kernel so far. */
  arrived({ remote, look }: Watched): boolean {
    const transfer = remote && look && this.#sockets.transfer(look.fd, remote);
    return transfer?.waiting === false;
  }

  /** Has a first look at `peers`, as far as their sockets can be found now. */
  begin(peers: readonly Watched[]): void {
    const now = performance.now();
    if (peers.length === 0 || now - this.#searchedAt < SEARCH_EVERY_MS) return;
    this.#searchedAt = now;
    const known = peers.flatMap((peer) => (peer.remote === undefined ? [] : [{ peer, remote: peer.remote }]));
    const found = this.#sockets.find(known.map(({ remote }) => remote));
    for (const [index, { peer, remote }] of known.entries()) {
      const fd = found[index];
      const transfer = fd === undefined ? undefined : this.#sockets.transfer(fd, remote);
      if (fd !== undefined && transfer !== undefined) peer.look = { fd, transfer };
    }
  }
}
