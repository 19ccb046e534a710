/** The text of one JSON value, exactly as its sender wrote it. */
export type RawJson = string;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Called for each member of an object: `at` is where its value starts. Returns where it ends. */
type Visit = (key: string, at: number) => number;

/**
 * Visits the members of the object that starts at `at`, in the order of the text, repeated keys included.
 *
 * Only for text that `JSON.parse` has accepted: nothing is checked again. Returns the index after the object.
 */
export function eachMember(text: string, at: number, visit: Visit): number {
  let i = skipSpace(text, at + 1);
  while (text.charCodeAt(i) !== CLOSE_BRACE) {
    const keyEnd = skipString(text, i);
    const value = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = visit(keyAt(text, i, keyEnd), value);
    i = skipSpace(text, end);
    if (text.charCodeAt(i) === COMMA) i = skipSpace(text, i + 1);
  }
  return i + 1;
}

/** Where the value of `name` starts in the object at `at`; of a repeated key the last one; -1 if there is none. */
export function lastMember(text: string, at: number, name: string): number {
  let found = -1;
  eachMember(text, at, (key, start) => {
    if (key === name) found = start;
    return skipValue(text, start);
  });
  return found;
}

/** The index of the first character that is not JSON white space (RFC 8259 §2). */
export function skipSpace(text: string, at: number): number {
  let i = at;
  for (let c = text.charCodeAt(i); c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09; c = text.charCodeAt(i)) i++;
  return i;
}

/** The index after the value that starts at `at`. */
export function skipValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === QUOTE) return skipString(text, at);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return skipNested(text, at);
  let i = at;
  while (i < text.length && !endsScalar(text.charCodeAt(i))) i++;
  return i;
}

function endsScalar(c: number): boolean {
  return c === COMMA || c === CLOSE_BRACE || c === CLOSE_BRACKET || c <= 0x20;
}

/** Counts instead of recursing: a payload may be nested as deeply as its size allows. */
function skipNested(text: string, at: number): number {
  let depth = 0;
  let i = at;
  do {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      i = skipString(text, i);
      continue;
    }
    if (c === OPEN_BRACE || c === OPEN_BRACKET) depth++;
    else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) depth--;
    i++;
  } while (depth > 0);
  return i;
}

function skipString(text: string, at: number): number {
  for (let quote = text.indexOf('"', at + 1); ; quote = text.indexOf('"', quote + 1)) {
    let i = quote - 1;
    while (text.charCodeAt(i) === BACKSLASH) i--;
    const escaped = (quote - i) % 2 === 0;
    if (!escaped) return quote + 1;
  }
}

function keyAt(text: string, start: number, end: number): string {
  const key = text.slice(start + 1, end - 1);
  if (!key.includes("\\")) return key;
  return String(JSON.parse(text.slice(start, end)));
}
