import type { Metrics } from "../ops/metrics.ts";
import { ProtocolError } from "../protocol/codes.ts";
import { shorten, type Read } from "../protocol/read.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Returns what was read. Throws `BAD_REQUEST` if it is invalid. */
export function checked<T>(read: Read<T>): T {
  if (!read.ok) throw new ProtocolError("BAD_REQUEST", read.problem);
  return read.content;
}

/** `maxMessageBytes` is the size past which nothing more is read. */
export type BodyDeps = { maxMessageBytes: number; metrics: Metrics };

/**
 * Reads a request's body as text.
 *
 * @throws {ProtocolError} `TOO_LARGE`, `UNSUPPORTED_ENCODING`, `BAD_REQUEST` if the body is incomplete or not UTF-8
 */
export async function readText(request: Request, { maxMessageBytes: maxBytes, metrics }: BodyDeps): Promise<string> {
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    const detail = `The body has Content-Encoding '${shorten(encoding)}'; send it as it is, without one`;
    throw new ProtocolError("UNSUPPORTED_ENCODING", detail);
  }
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof ProtocolError) throw cause;
    throw new ProtocolError("BAD_REQUEST", "The body was not sent to its end");
  } finally {
    metrics.received.http += size;
  }
  try {
    return utf8.decode(Buffer.concat(chunks));
  } catch {
    throw new ProtocolError("BAD_REQUEST", "The body is not valid UTF-8");
  }
}

function tooLarge(maxBytes: number): ProtocolError {
  const problem = `The body is larger than MAX_MESSAGE_BYTES, ${maxBytes}`;
  return new ProtocolError("TOO_LARGE", problem, { limit: "MAX_MESSAGE_BYTES" });
}
