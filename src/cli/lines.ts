import { Failure } from "./failure.ts";

/** A line of a text, with its number from 1. */
export type TextLine = { number: number; text: string; bytes: number };

/** The longest line, in bytes. */
const LONGEST_LINE = 8 * 1024 * 1024;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * Lines of a stream of bytes, without the empty ones. It keeps no more than one line, and what was read beyond it.
 *
 * @throws {Failure} that names the line, if it is longer than `longest` or not UTF-8
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, longest = LONGEST_LINE): AsyncGenerator<TextLine> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let number = 1;
  let bytes = 0;
  const add = (part: Uint8Array) => {
    length += part.length;
    bytes += part.length;
    if (length > longest) throw new Failure(`Line ${number} is longer than ${longest} bytes`);
    if (part.length > 0) parts.push(part);
  };
  const take = (): TextLine => {
    const text = textOf(parts, number);
    const line = { number, text, bytes };
    parts = [];
    length = 0;
    bytes = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, end));
      bytes++;
      if (length > 0) {
        const line = take();
        if (line.text !== "") yield line;
      }
      number++;
      start = end + 1;
    }
    // The stream may use the memory of a chunk again.
    add(chunk.slice(start));
  }
  if (length === 0) return;
  const last = take();
  if (last.text !== "") yield last;
}

function textOf(parts: readonly Uint8Array[], number: number): string {
  const all = Buffer.concat(parts);
  const line = all.at(-1) === RETURN ? all.subarray(0, -1) : all;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(line);
  } catch {
    throw new Failure(`Line ${number} is not UTF-8`);
  }
}

/** What a stream has, until there is no more or the signal is aborted. */
export async function* chunksOf(stream: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  const iterator: AsyncIterator<Uint8Array> = {
    // Not Promise.race with one promise for all reads: that would keep every chunk for as long as it is open.
    next: () =>
      new Promise((resolve, reject) => {
        const end = () => resolve({ done: true, value: undefined });
        if (signal.aborted) return end();
        signal.addEventListener("abort", end, { once: true });
        const read = reader.read().then((chunk) => (chunk.done ? end() : resolve(chunk)), reject);
        void read.finally(() => signal.removeEventListener("abort", end));
      }),
  };
  yield* { [Symbol.asyncIterator]: () => iterator };
}
