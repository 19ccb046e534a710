import type { Logger } from "./logger.ts";

/** Runs work in the next turn of the event loop. A fault in it is logged. */
export type NextTurn = (work: () => void) => void;

export function nextTurn(log: Logger): NextTurn {
  return (work) => {
    setImmediate(() => {
      try {
        work();
      } catch (cause) {
        log.error("fault in work that was put off", { cause });
      }
    });
  };
}
