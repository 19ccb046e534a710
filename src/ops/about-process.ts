import { hostname } from "node:os";
import type { NodeInfo } from "../protocol/nodes.ts";

/** What a node shows of itself that stays the same for as long as the process lives. */
export function aboutThisProcess(version: string): Pick<NodeInfo, "id" | "host" | "pid" | "version" | "started_at"> {
  const id = crypto.getRandomValues(new Uint8Array(4)).toHex();
  return { id, host: hostname(), pid: process.pid, version, started_at: new Date().toISOString() };
}
