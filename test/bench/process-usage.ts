import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

/** CPU seconds that a process has used so far, all its threads together. */
export function cpuSeconds(pid: number): number {
  const stat = `/proc/${pid}/stat`;
  if (existsSync(stat)) {
    const fields = readFileSync(stat, "utf8").split(") ")[1]?.split(" ") ?? [];
    // proc(5): utime and stime, in ticks of 1/100 s.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }
  const parts = ps(pid, "cputime").split(/[-:]/).map(Number);
  return parts.reduce((sum, part) => sum * 60 + part, 0);
}

/** Seconds that the first so many cores have had nothing to do so far, together. */
export function idleSeconds(cores: number): number {
  return cpus()
    .slice(0, cores)
    .reduce((sum, { times }) => sum + times.idle / 1000, 0);
}

/** Bytes of memory that a process has resident. */
export function residentBytes(pid: number): number {
  return Number(ps(pid, "rss")) * 1024;
}

function ps(pid: number, column: string): string {
  return Bun.spawnSync(["ps", "-o", `${column}=`, "-p", String(pid)])
    .stdout.toString()
    .trim();
}
