/** The kinds of flags. A value comes as text. The text of a problem continues after the name of its flag. */
import { z } from "zod";
import { wholeNumber } from "../setting-kinds.ts";

/** A flag that is there or not. */
export function toggle(help: string) {
  return z.stringbool({ error: "must be true or false" }).prefault("false").meta({ help, bare: true });
}

/** A whole number, or nothing. */
export function whole(min: number, max: number, help: string) {
  return wholeNumber(min, max)
    .optional()
    .meta({ help, range: `${min} to ${max}` });
}

/** A number with a fraction perhaps. */
export function decimal(fallback: number, min: number, max: number, help: string) {
  const problem = `must be a number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,12}(\.\d{1,6})?$/, problem)
    .transform(Number)
    .pipe(z.number().min(min, problem).max(max, problem))
    .prefault(String(fallback))
    .meta({ help, range: `${min} to ${max}`, default: String(fallback) });
}

/** Text. @param value what stands for it in the help */
export function word(value: string, help: string, more: { default?: string; variable?: string } = {}) {
  return z
    .string()
    .min(1, "must not be empty")
    .optional()
    .meta({ help, value, ...more });
}

/** Text that may be given several times. */
export function words(value: string, help: string) {
  return z.array(z.string()).prefault([]).meta({ help, value, many: true });
}
