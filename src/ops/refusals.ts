import type { ProtocolError } from "../protocol/codes.ts";
import type { Fields } from "./logger.ts";
import type { Metrics } from "./metrics.ts";
import type { Throttle } from "./throttle.ts";

export type RefusalDeps = { metrics: Metrics; throttle: Throttle };

/**
 * Counts a refusal. Logs it unless the request itself is the reason.
 *
 * @param what was refused, such as "a frame"
 * @param facts who asked
 */
export function noteRefusal(
  { metrics, throttle }: RefusalDeps,
  error: ProtocolError,
  what: string,
  facts: Fields,
): void {
  const { code, message, limit, cause } = error;
  metrics.refused(code, limit);
  if (limit !== undefined) {
    throttle.warn(`limit reached: ${what} was refused`, { ...facts, limit: message }, limit);
  } else if (code === "UNAUTHORIZED") {
    throttle.warn(`${what} was refused: unauthorized`, { ...facts, reason: message });
  } else if (code === "UNAVAILABLE") {
    throttle.warn(`${what} was refused: unavailable`, { ...facts, reason: message, cause });
  }
}
