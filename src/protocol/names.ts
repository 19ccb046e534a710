import { z } from "zod";

/** A topic's name and a `client_id` are at most this long, in UTF-8 bytes. */
export const MAX_NAME_BYTES = 255;

/** Nearly every name; tried first, because all that the rest has to be asked costs several times as much. */
const PLAIN = /^[ -~]{1,255}$/;
const CONTROL = /\p{Cc}/u;

/** Whether `name` is 1 to 255 UTF-8 bytes without control characters or lone surrogates. */
export function isName(name: string): boolean {
  if (PLAIN.test(name)) return true;
  return (
    name.length > 0 &&
    name.length <= MAX_NAME_BYTES &&
    name.isWellFormed() &&
    !CONTROL.test(name) &&
    Buffer.byteLength(name) <= MAX_NAME_BYTES
  );
}

/**
 * Schema of a name that a client chooses.
 *
 * @param field what the sender calls it, for the error text
 * @param missing the error text when it is absent or null
 */
export function nameSchema(field: string, missing: string) {
  return z
    .string({ error: ({ input }) => (input === undefined || input === null ? missing : `${field} must be a string`) })
    .refine(isName, `${field} must be 1 to ${MAX_NAME_BYTES} UTF-8 bytes without control characters`);
}
