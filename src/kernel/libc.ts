import { dlopen } from "bun:ffi";

/** The file names of the C library: glibc's, then musl's. */
const NAMES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

const CALLS = {
  getsockopt: { args: ["int", "int", "int", "ptr", "ptr"], returns: "int" },
  setsockopt: { args: ["int", "int", "int", "ptr", "u32"], returns: "int" },
  getsockname: { args: ["int", "ptr", "ptr"], returns: "int" },
  getpeername: { args: ["int", "ptr", "ptr"], returns: "int" },
  accept4: { args: ["int", "ptr", "ptr", "int"], returns: "int" },
  recv: { args: ["int", "ptr", "u64", "int"], returns: "i64" },
  send: { args: ["int", "ptr", "u64", "int"], returns: "i64" },
  close: { args: ["int"], returns: "int" },
  poll: { args: ["ptr", "u64", "int"], returns: "int" },
  getrlimit: { args: ["int", "ptr"], returns: "int" },
  setrlimit: { args: ["int", "ptr"], returns: "int" },
} as const;

/** System calls that Bun does not offer. */
export type Libc = ReturnType<typeof dlopen<typeof CALLS>>["symbols"];

/**
 * Opens the C library, for system calls that Bun does not offer. Linux only: undefined elsewhere.
 *
 * @throws {Error} if the C library cannot be loaded
 */
export function openLibc(): Libc | undefined {
  if (process.platform !== "linux") return undefined;
  let reason: unknown;
  for (const name of NAMES) {
    try {
      return dlopen(name, CALLS).symbols;
    } catch (cause) {
      reason ??= cause;
    }
  }
  throw new Error("the C library cannot be loaded", { cause: reason });
}
