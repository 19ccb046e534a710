import type { Address, Sockets } from "../kernel/sockets.ts";

/** How often the connections are looked for at most, in milliseconds. */
const LOOK_MS = 10;

/** Looking is linear in the open files. It takes at most one part in so many of the time. */
const SHARE = 4;

/**
 * Waits until the connections of event streams that were ended are closed, or the time is over.
 *
 * Bun says that the kernel took a write while it still holds up to 16 KiB of it, and drops that when the process ends. But it
 * closes the connection of an ended stream only when it has handed everything over.
 *
 * @param deadline milliseconds, as `performance.now()` counts them
 */
export async function untilClosed(
  sockets: Pick<Sockets, "find">,
  streams: readonly Address[],
  deadline: number,
): Promise<void> {
  let left = streams;
  while (left.length > 0) {
    const begun = performance.now();
    if (begun >= deadline) return;
    const found = sockets.find(left);
    left = left.filter((_, index) => found[index] !== undefined);
    if (left.length > 0) await Bun.sleep(Math.max(LOOK_MS, SHARE * (performance.now() - begun)));
  }
}
