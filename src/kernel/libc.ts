import { dlopen } from "bun:ffi";

/** The C library's names: of glibc, then of musl. */
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
  getrlimit: { args: ["int", "ptr"], returns: "int" },
  setrlimit: { args: ["int", "ptr"], returns: "int" },
} as const;

/** What Bun has no call of its own for. */
export type Libc = ReturnType<typeof dlopen<typeof CALLS>>["symbols"];

/**
 * The system calls that this server makes past Bun. Linux only: undefined elsewhere.
 *
 * @throws {Error} where the C library cannot be loaded
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
