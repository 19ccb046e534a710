import { Logger, type Level } from "../../src/ops/logger.ts";

/** A logger that keeps its lines. */
export function makeLogger(level: Level): { lines: string[]; log: Logger } {
  const lines: string[] = [];
  return { lines, log: new Logger(level, "text", (line) => lines.push(line) > 0) };
}

/** A logger for a test in which nothing fails: it throws each error that it is to log. */
export const FAULTLESS = new Logger("error", "text", (line) => {
  throw new Error(line);
});
