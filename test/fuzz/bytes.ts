/** Bytes, broken. */
import type { Random } from "../support/random.ts";

export function noise(random: Random, most: number): Buffer {
  return Buffer.from(Array.from({ length: random.int(most + 1) }, () => random.int(256)));
}

/** Bytes that mean something to one reader or another. */
const INSERTS = [
  "\0",
  "\r\n",
  "\n",
  '"',
  "\\",
  "{",
  "[",
  ",",
  "\xff",
  "\xc0\x80",
  "\xed\xa0\x80",
  "\xf4\x90\x80\x80",
  "%00",
];

/** Cuts, flips, inserts, repeats, up to `most` times. */
export function mutatedBytes(bytes: Buffer, random: Random, most = 3): Buffer {
  let result = Buffer.from(bytes);
  for (let i = 1 + random.int(most); i > 0; i--) {
    const at = random.int(result.length + 1);
    const before = result.subarray(0, at);
    const after = result.subarray(at);
    const kind = random.int(6);
    if (kind === 0) result = Buffer.from(before);
    else if (kind === 1) result = Buffer.concat([before, after.subarray(1 + random.int(4))]);
    else if (kind === 2) result = Buffer.concat([before, noise(random, 4), after]);
    else if (kind === 3) result = Buffer.concat([before, Buffer.from(random.pick(INSERTS), "latin1"), after]);
    else if (kind === 4) result = Buffer.concat([before, after.subarray(0, random.int(20)), after]);
    else if (at < result.length) result[at] = (result[at] ?? 0) ^ (1 << random.int(8));
  }
  return result;
}

/** The text of bytes; undefined if they are not UTF-8. */
export function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
