import { messagesOf, payloadOf } from "../protocol/messages.ts";
import type { EventFrame } from "../protocol/frames.ts";

/** The JSON of a payload. @throws {TypeError} if it has none */
export function jsonOf(payload: unknown, isRaw: boolean): string {
  const json: unknown = isRaw ? payload : JSON.stringify(payload);
  if (typeof json === "string") return json;
  throw new TypeError(isRaw ? "A raw payload is JSON as text" : `JSON has no ${typeof payload}`);
}

type Received = Pick<EventFrame, "seq" | "ts" | "traceparent" | "message">;

/** Takes payloads out of frames and pages of history: as values or, `isRaw`, as the text that was published. */
export function payloadReader(isRaw: boolean) {
  return {
    event(frame: EventFrame, text: string): Received {
      if (!isRaw) return frame;
      const { id } = frame.message;
      return { ...frame, message: { id, payload: payloadOf(text, !text.includes("\\")) } };
    },
    /** The payloads of a page of history. */
    page(messages: readonly { id: string; payload: unknown }[], text: string): unknown[] {
      return (isRaw ? messagesOf(text, messages) : messages).map(({ payload }) => payload);
    },
  };
}
