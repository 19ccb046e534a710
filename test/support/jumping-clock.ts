import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "./proxies.ts";

/**
 * What is loaded before libc: the time of day with an offset in seconds, which stands in a file and may change at any time.
 * The monotonic clock stays as it is, as it does when an administrator or NTP sets the time of a machine.
 */
const SHIM = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t *offset;

__attribute__((constructor)) static void open_offset(void) {
  int file = open(getenv("CLOCK_OFFSET_FILE"), O_RDONLY);
  void *at = mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
  offset = at == MAP_FAILED ? 0 : at;
}

int clock_gettime(clockid_t id, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(id, at);
  if (offset && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += *offset;
  return result;
}

int gettimeofday(struct timeval *at, void *zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
`;

/** Whether there is no C compiler, or no glibc to load the shim into. */
export const skipClock = process.platform !== "linux" || Bun.which("cc") === null;

/** The time of day of one server, which can be set while the server runs. */
export class JumpingClock implements Disposable {
  /** For the environment of the server. */
  readonly env: Record<string, string>;
  readonly #folder = tempFolder();
  readonly #offset: number;

  constructor() {
    const [source, library, offset] = ["clock.c", "clock.so", "offset"].map((name) => join(this.#folder.path, name));
    if (source === undefined || library === undefined || offset === undefined) throw new Error("There is no folder");
    writeFileSync(source, SHIM);
    const { exitCode, stderr } = Bun.spawnSync(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]);
    if (exitCode !== 0) throw new Error(`Cannot compile: ${stderr.toString()}`);
    writeFileSync(offset, Buffer.alloc(8));
    this.#offset = openSync(offset, "r+");
    this.env = { LD_PRELOAD: library, CLOCK_OFFSET_FILE: offset };
  }

  /** Has the server's clock be so many seconds ahead of the machine's; behind it where negative. */
  set(seconds: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    writeSync(this.#offset, bytes, 0, bytes.length, 0);
  }

  [Symbol.dispose](): void {
    closeSync(this.#offset);
    this.#folder[Symbol.dispose]();
  }
}
