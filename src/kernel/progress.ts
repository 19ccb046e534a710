import type { Address, Sockets, Transfer } from "./sockets.ts";

/** The least time between two searches of all open files for those of connections, in milliseconds. */
const SEARCH_EVERY_MS = 1000;

/** What a connection had transferred when it was last looked at. */
export type Look = { fd: number; transfer: Transfer };

/** A connection that may be slow instead of dead. */
export interface Watched {
  readonly remote: Address | undefined;
  look: Look | undefined;
}

/** The part of `Sockets` that is used here. */
type SocketLookup = Pick<Sockets, "find" | "transfer">;

/**
 * Tells a slow peer from a dead one, if neither answers. A peer that takes bytes off its backlog, or is still sending
 * something long, cannot answer but is alive.
 */
export class Progress {
  readonly #sockets: SocketLookup;
  #searchedAt = Number.NEGATIVE_INFINITY;

  constructor(sockets: SocketLookup) {
    this.#sockets = sockets;
  }

  /** Whether bytes have moved in either direction since `peer` was last looked at. Looks again for the next time. */
  moved(peer: Watched): boolean {
    const { remote, look: before } = peer;
    if (remote === undefined || before === undefined) return false;
    const transfer = this.#sockets.transfer(before.fd, remote);
    peer.look = transfer === undefined ? undefined : { fd: before.fd, transfer };
    if (transfer === undefined) return false;
    // A kernel confirms a lone heartbeat although nobody has read it, so this counts only if bytes waited before.
    const taken = before.transfer.waiting && transfer.acked > before.transfer.acked;
    return taken || transfer.received > before.transfer.received;
  }

  /** Whether the peer's own system has confirmed everything that was handed to the kernel so far. */
  arrived({ remote, look }: Watched): boolean {
    const transfer = remote && look && this.#sockets.transfer(look.fd, remote);
    return transfer?.waiting === false;
  }

  /** Takes a first look at the `peers` whose sockets it finds. Does nothing if the last search is too recent. */
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
