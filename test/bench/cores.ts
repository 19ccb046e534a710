/** Where there is no taskset everything floats. */
const taskset = Bun.which("taskset");
const nice = Bun.which("nice");

export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/** Pins a command to a core, so that server and load do not take each other's. */
export function onCore(core: number, command: string[]): string[] {
  return taskset === null ? command : [taskset, "-c", `${core}`, ...command];
}

/** Has this very process, and those that it starts, leave the server's core alone. */
export function leaveServerItsCore(): void {
  if (taskset !== null) Bun.spawnSync([taskset, "-a", "-c", "-p", `${LOAD_CORE}`, `${process.pid}`]);
}

/** Has a command give way to whatever else runs on its core: to the one that measures. */
export function givingWay(command: string[]): string[] {
  return nice === null ? command : [nice, "-n", "10", ...command];
}

/** Has this very process, and those that it starts, do with two cores, however many there are. */
export function stayOnTwoCores(): void {
  if (taskset !== null) {
    Bun.spawnSync([taskset, "-a", "-c", "-p", `${SERVER_CORE},${LOAD_CORE}`, `${process.pid}`]);
  }
}
