import { ptr } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { ProtocolError } from "../protocol/codes.ts";
import { problemOf } from "../protocol/encode.ts";
import type { Libc } from "./libc.ts";
import { openFiles } from "./sockets.ts";

/** Linux's constants, from `asm-generic/resource.h`, `asm-generic/fcntl.h`, `linux/socket.h`. */
const RLIMIT_NOFILE = 7;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** Files that only this guard may open, to answer newcomers when no other file is left. */
const RESERVED = 8;

/** Files for probes and other plain HTTP requests: a sixteenth of those that are left, at least `MIN_FOR_REQUESTS`. */
const MIN_FOR_REQUESTS = 12;
const PART_FOR_REQUESTS = 16;

/** Stands for no limit: no system opens more files. */
const UNLIMITED = 2 ** 31;

/** In milliseconds: how often the guard checks whether a file is left, how often while none is, and how long that lasts. */
const WATCH_MS = 250;
const GUARD_MS = 20;
const CALM_MS = 2000;

/** How many newcomers are answered in one turn of the event loop. */
const TOLD_A_TURN = 256;

/** How much of a request is read: enough to recognize a liveness probe. */
const REQUEST_BYTES = 4096;

const ALIVE = answer("200 OK", "application/json", `{"status":"ok"}`);
const FULL = problemAnswer(new ProtocolError("LIMIT_EXCEEDED", "The limit of open files is reached"));

function problemAnswer(error: ProtocolError): Uint8Array {
  const problem = problemOf(error);
  return answer(`${problem.status} ${problem.title}`, "application/problem+json", JSON.stringify(problem));
}

function answer(status: string, type: string, body: string): Uint8Array {
  const head = `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  return new TextEncoder().encode(head + body);
}

/**
 * The limit of open files (`ulimit -n`): how many connections it leaves room for, and what happens once it is reached.
 *
 * If no file is left for a connection, Bun tries to accept it again and again, and does little else. So some files are
 * kept back, to answer newcomers with.
 */
export class OpenFiles {
  readonly #libc: Libc;
  /** The limit that the system sets. */
  readonly limit: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Newcomers that have sent no request yet. They are answered at the next check. */
  readonly #silent: number[] = [];

  constructor(libc: Libc) {
    this.#libc = libc;
    this.limit = Math.min(Number(this.#rlimit()[0]), UNLIMITED);
  }

  /** How many connections of subscribers fit beside the files that are open now and those for plain requests. */
  get maxConnections(): number {
    const left = this.limit - RESERVED - openFiles().length;
    return Math.max(1, left - Math.max(MIN_FOR_REQUESTS, Math.floor(left / PART_FOR_REQUESTS)));
  }

  /**
   * Watches the limit from now on.
   *
   * @param listener the socket that accepts connections
   * @param told called with the number of newcomers for which no file is left
   * @param failed called with a fault; the guard then goes on
   */
  guard(listener: number, told: (newcomers: number) => void, failed: (cause: unknown) => void): void {
    this.#setLimit(this.limit - RESERVED);
    let fullAt = Number.NEGATIVE_INFINITY;
    const look = () => {
      const full = isFull();
      if (full) fullAt = performance.now();
      try {
        const refused = this.#tellSilent() + (full ? this.#tellNewcomers(listener) : 0);
        if (refused > 0) told(refused);
      } catch (cause) {
        failed(cause);
      }
      this.#timer = setTimeout(look, performance.now() - fullAt < CALM_MS ? GUARD_MS : WATCH_MS);
    };
    this.#timer = setTimeout(look, WATCH_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#tellSilent();
    this.#setLimit(this.limit);
  }

  /** Answers those who have come since, except those who have not asked anything yet. Returns how many it refused. */
  #tellNewcomers(listener: number): number {
    let refused = 0;
    this.#setLimit(this.limit);
    for (let newcomers = 0; newcomers < TOLD_A_TURN; newcomers++) {
      const fd = this.#libc.accept4(listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) break;
      const head = this.#read(fd);
      // Closing before the request has arrived would reset the connection, and the answer would be lost.
      if (head === "") this.#silent.push(fd);
      else refused += this.#tell(fd, head);
    }
    this.#setLimit(this.limit - RESERVED);
    return refused;
  }

  #tellSilent(): number {
    return this.#silent.splice(0).reduce((refused, fd) => refused + this.#tell(fd, this.#read(fd)), 0);
  }

  #read(fd: number): string {
    const request = new Uint8Array(REQUEST_BYTES);
    const read = Number(this.#libc.recv(fd, ptr(request), request.byteLength, MSG_DONTWAIT));
    return Buffer.from(request.buffer, 0, Math.max(0, read)).toString("latin1");
  }

  /** Answers a request. Returns how many were refused by that: one, unless it is a probe. */
  #tell(fd: number, head: string): number {
    const isProbe = head.startsWith("GET /livez ");
    const text = isProbe ? ALIVE : FULL;
    this.#libc.send(fd, ptr(text), text.byteLength, MSG_NOSIGNAL);
    this.#libc.close(fd);
    return isProbe ? 0 : 1;
  }

  #rlimit(): BigUint64Array {
    const limits = new BigUint64Array(2);
    if (this.#libc.getrlimit(RLIMIT_NOFILE, ptr(limits)) !== 0) throw new Error("the limit of open files is not told");
    return limits;
  }

  #setLimit(files: number): void {
    const limits = this.#rlimit();
    limits[0] = BigInt(files);
    if (this.#libc.setrlimit(RLIMIT_NOFILE, ptr(limits)) !== 0)
      throw new Error("the limit of open files cannot be set");
  }
}

/** Whether no more file can be opened. */
function isFull(): boolean {
  try {
    closeSync(openSync("/dev/null", "r"));
    return false;
  } catch {
    return true;
  }
}
