import { ProtocolError } from "../../protocol/codes.ts";
import type { TopicText } from "../../protocol/encode.ts";
import { isRefusal } from "./meaning.ts";

/** Digits of a time stamp as events have it. */
const TS = "2026-11-27T00:00:00.000Z";

/** The bytes of an event besides its number and its entry. */
export function fixedBytes(text: TopicText, traceparent: string): number {
  const trace = traceparent === "" ? "" : `"traceparent":"${traceparent}",`;
  return Buffer.byteLength(`${text.event},"ts":"${TS}",${trace}"message":{"id":"","payload":}}`);
}

/** What a refusal for its size means for whoever published. */
export function tooLarge(cause: unknown, fixed: number, most: number, topic: string): unknown {
  if (!isRefusal(cause, "TOOLARGE")) return cause;
  const [count, index, size] = cause.message.split(" ").slice(1).map(Number);
  const name = count === 1 ? "message" : `messages[${index}]`;
  const problem = `${name} makes an event of ${fixed + (size ?? 0)} bytes, and MAX_MESSAGE_BYTES is ${most}`;
  return new ProtocolError("TOO_LARGE", problem, { topic, limit: "MAX_MESSAGE_BYTES" });
}
