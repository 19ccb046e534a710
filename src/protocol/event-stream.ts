import type { Position } from "./frames.ts";

/**
 * Headers of an answer that is an event stream (HTML §9.2.5): not to be kept, nor gathered by a proxy in between. Its
 * connection serves nothing else, and closes with it.
 */
export const STREAM_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  connection: "close",
  "x-accel-buffering": "no",
} as const;

/** Something every client ignores; it keeps the connection from looking idle. */
export const COMMENT = ": heartbeat\n\n";

/** The `id` of an event: what a client that lost its connection sends back as `Last-Event-ID`. */
export function eventId({ epoch, seq }: Position): string {
  return `${epoch}:${seq}`;
}

/** Reads an {@link eventId}; undefined where the text is none. */
export function parseEventId(text: string): Position | undefined {
  const { epoch, seq } = parsePosition(text) ?? {};
  return epoch === undefined || seq === undefined ? undefined : { epoch, seq };
}

/** Reads a position as it is written in a query: `EPOCH:SEQ`, or `SEQ` of the present epoch; undefined where it is neither. */
export function parsePosition(text: string): { epoch?: string; seq: number } | undefined {
  const [, , epoch, seq] = /^(([^:]*):)?(\d{1,15})$/.exec(text) ?? [];
  if (seq === undefined) return undefined;
  return epoch === undefined ? { seq: Number(seq) } : { epoch, seq: Number(seq) };
}

/** After how long a client is to come back, in milliseconds: from this */
const RETRY_MS = 1000;
/** up to so much more, at random, so that a crowd does not come back at once. */
const RETRY_SPREAD_MS = 2000;

/** The field that a stream begins with (HTML §9.2.6), so that a lost connection is made again after a while. */
export function retryField(): string {
  return `retry: ${Math.round(RETRY_MS + Math.random() * RETRY_SPREAD_MS)}\n`;
}

/**
 * One event of a stream (HTML §9.2.6). `name` is left out for what `onmessage` shall receive, and `id` for what does not
 * change the position.
 */
export function streamEvent(data: string, { id, name }: { id?: string; name?: string }): string {
  const fields = `${name === undefined ? "" : `event: ${name}\n`}${id === undefined ? "" : `id: ${id}\n`}`;
  return `${fields}data: ${LINE_END.test(data) ? data.replaceAll(LINE_ENDS, "\ndata: ") : data}\n\n`;
}

const LINE_END = /[\r\n]/;
const LINE_ENDS = /\r\n|\r|\n/g;
