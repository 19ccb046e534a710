/** The most bytes of a topic's name or a `client_id`, in UTF-8. */
export const MAX_NAME_BYTES = 255;

/** Matches nearly every valid name, at little cost. */
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
