import type { Position } from "./frames.ts";

/**
 * Headers of an event stream (HTML §9.2.5). No cache keeps it, and no proxy in between buffers it. Its connection
 * serves nothing else, and closes with it.
 */
export const STREAM_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  connection: "close",
  "x-accel-buffering": "no",
  // The address may hold a token.
  "referrer-policy": "no-referrer",
} as const;

/** A comment, which every client ignores. It keeps the connection from looking idle. */
export const COMMENT = ": heartbeat\n\n";

/** The `id` of an event. A client that lost its connection sends it back as `Last-Event-ID`. */
export function eventId({ epoch, seq }: Position): string {
  return `${epoch}:${seq}`;
}

/** Reads an {@link eventId}; undefined if the text is none. */
export function parseEventId(text: string): Position | undefined {
  const { epoch, seq } = parsePosition(text) ?? {};
  return epoch === undefined || seq === undefined ? undefined : { epoch, seq };
}

/** Reads a position from a query: `EPOCH:SEQ`, or `SEQ` in the current epoch; undefined if it is neither. */
export function parsePosition(text: string): { epoch?: string; seq: number } | undefined {
  const [, , epoch, seq] = /^(([^:]*):)?(\d{1,15})$/.exec(text) ?? [];
  if (seq === undefined) return undefined;
  return epoch === undefined ? { seq: Number(seq) } : { epoch, seq: Number(seq) };
}

/** The least time after which a client reconnects, in milliseconds. */
const RETRY_MS = 1000;
/** The most that is added to it at random, so that clients do not all come back at once. */
const RETRY_SPREAD_MS = 2000;

/** The first field of a stream (HTML §9.2.6). It tells the client how long to wait before it reconnects. */
export function retryField(): string {
  return `retry: ${Math.round(RETRY_MS + Math.random() * RETRY_SPREAD_MS)}\n`;
}

/**
 * One event of a stream (HTML §9.2.6). Without `name`, `onmessage` receives it. Without `id`, the client's position
 * stays.
 */
export function streamEvent(data: string, { id, name }: { id?: string; name?: string }): string {
  const fields = `${name === undefined ? "" : `event: ${name}\n`}${id === undefined ? "" : `id: ${id}\n`}`;
  return `${fields}data: ${LINE_END.test(data) ? data.replaceAll(LINE_ENDS, "\ndata: ") : data}\n\n`;
}

const LINE_END = /[\r\n]/;
const LINE_ENDS = /\r\n|\r|\n/g;
