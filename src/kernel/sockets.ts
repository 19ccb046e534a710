import { ptr } from "bun:ffi";
import { readdirSync } from "node:fs";
import type { Libc } from "./libc.ts";

/** Linux's constants for socket options, from `asm-generic/socket.h`, `linux/tcp.h`. */
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_ACCEPTCONN = 30;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const AF_INET = 2;

/** Room for any socket's address, in bytes. */
const ADDRESS_BYTES = 128;

/** One end of a connection. */
export type Address = { address: string; port: number };

/** What a connection has transferred since it began, in bytes. */
export type Transfer = {
  /** What the peer's kernel has confirmed. */
  acked: bigint;
  /** What came from the peer. */
  received: bigint;
  /** Whether anything waits to be confirmed by the peer's kernel. */
  waiting: boolean;
};

/** The sockets of this process. Bun does not tell their file descriptors, so they are found by asking the kernel. */
export class Sockets {
  readonly #libc: Libc;
  readonly #address = new Uint8Array(ADDRESS_BYTES);
  readonly #info = new Uint8Array(256);

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /**
   * The socket that listens on `port`.
   *
   * @throws {Error} if there is none
   */
  listener(port: number): number {
    const found = openFiles().find((fd) => this.#option(fd, SO_ACCEPTCONN) === 1 && this.#portOf(fd) === port);
    if (found === undefined) throw new Error(`no socket listens on port ${port}`);
    return found;
  }

  /**
   * Sets how many bytes the kernel buffers in each direction, for each connection that `listener` accepts from now on.
   * Linux takes twice as much memory for them.
   *
   * @throws {Error} if the system refuses
   */
  bound(listener: number, { send, receive }: { send: number; receive: number }): void {
    for (const [option, bytes] of [
      [SO_SNDBUF, send],
      [SO_RCVBUF, receive],
    ] as const) {
      const value = new Int32Array([bytes]);
      const failed = this.#libc.setsockopt(listener, SOL_SOCKET, option, ptr(value), value.byteLength) !== 0;
      if (failed) throw new Error(`the system refuses a socket buffer of ${bytes} bytes`);
    }
  }

  /** The sockets connected to `peers`, in the same order; undefined for those not found. Linear in the open files. */
  find(peers: readonly Address[]): (number | undefined)[] {
    const keys = peers.map(keyOf);
    const wanted = new Set(keys);
    const found = new Map<string, number>();
    for (const fd of openFiles()) {
      const key = this.#peerOf(fd);
      if (key !== undefined && wanted.has(key)) found.set(key, fd);
    }
    return keys.map((key) => found.get(key));
  }

  /** What the connection to `peer` has transferred; undefined if `fd` belongs to another connection by now. */
  transfer(fd: number, peer: Address): Transfer | undefined {
    if (this.#peerOf(fd) !== keyOf(peer)) return undefined;
    const length = new Uint32Array([this.#info.byteLength]);
    if (this.#libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, ptr(this.#info), ptr(length)) !== 0) return undefined;
    const view = new DataView(this.#info.buffer);
    const unacked = view.getUint32(24, true);
    const unsent = view.getUint32(144, true);
    return {
      acked: view.getBigUint64(120, true),
      received: view.getBigUint64(128, true),
      waiting: unacked + unsent > 0,
    };
  }

  #option(fd: number, option: number): number | undefined {
    const value = new Int32Array(1);
    const length = new Uint32Array([value.byteLength]);
    return this.#libc.getsockopt(fd, SOL_SOCKET, option, ptr(value), ptr(length)) === 0 ? value[0] : undefined;
  }

  #portOf(fd: number): number | undefined {
    const length = new Uint32Array([ADDRESS_BYTES]);
    return this.#libc.getsockname(fd, ptr(this.#address), ptr(length)) === 0 ? this.#port() : undefined;
  }

  #peerOf(fd: number): string | undefined {
    const length = new Uint32Array([ADDRESS_BYTES]);
    if (this.#libc.getpeername(fd, ptr(this.#address), ptr(length)) !== 0) return undefined;
    const family = new DataView(this.#address.buffer).getUint16(0, true);
    const bytes = family === AF_INET ? this.#address.subarray(4, 8) : this.#address.subarray(8, 24);
    return `${addressText(bytes)} ${this.#port()}`;
  }

  #port(): number {
    return new DataView(this.#address.buffer).getUint16(2);
  }
}

/** The descriptors of all files that this process has open. */
export function openFiles(): number[] {
  return readdirSync("/proc/self/fd").map(Number);
}

function keyOf({ address, port }: Address): string {
  return `${addressText(addressBytes(address))} ${port}`;
}

/** An address as text to compare: of IPv4 the same, alone or within IPv6 (RFC 4291 §2.5.5.2). */
function addressText(bytes: Uint8Array): string {
  const hex = bytes.toHex();
  return hex.replace(/^00000000000000000000ffff/, "");
}

/** The bytes of an IPv4 or IPv6 address (RFC 4291 §2.2). */
export function addressBytes(address: string): Uint8Array {
  const [, head = address, dotted] = /^(.*:)?(\d+\.\d+\.\d+\.\d+)$/.exec(address) ?? [];
  const tail = dotted === undefined ? [] : dotted.split(".").map(Number);
  if (dotted === address) return Uint8Array.from(tail);
  const [left = "", right] = head.split("::");
  const bytesOf = (groups: string) =>
    groups
      .split(":")
      .filter((group) => group !== "")
      .flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]);
  const before = bytesOf(left.split("%")[0] ?? "");
  const after = [...bytesOf(right?.split("%")[0] ?? ""), ...tail];
  const zeros = right === undefined ? 0 : Math.max(0, 16 - before.length - after.length);
  return Uint8Array.from([...before, ...Array<number>(zeros).fill(0), ...after]);
}
