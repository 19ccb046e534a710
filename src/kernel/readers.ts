import { ptr } from "bun:ffi";
import type { Libc } from "./libc.ts";

/** Linux's constants from `asm-generic/poll.h`: a pipe without a reader, and what has been hung up. */
const POLLERR = 8;
const POLLHUP = 16;

/** `struct pollfd`: the file, what is asked of it, and what is answered. */
const POLLFD_BYTES = 8;
const ANSWER = 6;

/** Whether what is written to a file still reaches somebody. A write would tell, but not before there is something to write. */
export function hasReader(libc: Libc, fd: number): boolean {
  const request = new DataView(new ArrayBuffer(POLLFD_BYTES));
  request.setInt32(0, fd, true);
  if (libc.poll(ptr(request), 1, 0) < 1) return true;
  return (request.getInt16(ANSWER, true) & (POLLERR | POLLHUP)) === 0;
}
