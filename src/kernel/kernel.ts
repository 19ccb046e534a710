import { openLibc } from "./libc.ts";
import { OpenFiles } from "./open-files.ts";
import { Sockets } from "./sockets.ts";

/** What the system offers past Bun. */
export type Kernel = { sockets: Sockets; files: OpenFiles };

/** Opens it. Returns undefined if the system offers nothing. @param failed called if it should, and does not */
export function openKernel(failed: (cause: unknown) => void): Kernel | undefined {
  try {
    const libc = openLibc();
    return libc && { sockets: new Sockets(libc), files: new OpenFiles(libc) };
  } catch (cause) {
    failed(cause);
    return undefined;
  }
}
