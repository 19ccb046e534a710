/**
 * To be preloaded: when the process exits, says on standard error which timers were left, by where they were set, and has it
 * exit with 70 in place of 0.
 */
const timers = new Map<unknown, string>();

function noted<A extends unknown[], R>(set: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    const timer = set(...args);
    timers.set(timer, new Error("set here").stack ?? "");
    return timer;
  };
}

function forgotten<T>(clear: (timer: T) => void): (timer: T) => void {
  return (timer) => {
    timers.delete(timer);
    clear(timer);
  };
}

const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;

Object.assign(globalThis, {
  setTimeout: noted((run: () => void, ms?: number) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, ms);
    return timer;
  }),
  setInterval: noted((run: () => void, ms?: number) => setInterval(run, ms)),
  clearTimeout: forgotten(clearTimeout),
  clearInterval: forgotten(clearInterval),
});

process.on("exit", () => {
  if (timers.size === 0) return;
  console.error(`${timers.size} timers left:\n${[...timers.values()].join("\n")}`);
  process.exitCode = 70;
});

export {};
