import type { Subscribed } from "../../src/protocol/frames.ts";
import { gapOf, type Frame } from "./frames.ts";

/** What a subscriber is told, whatever it is told it by; over an event stream, with the position to resume from then. */
export type Received = { lastEventId?: string } & (
  | ({ kind: "subscribed" } & Omit<Subscribed, "topic">)
  | { kind: "event"; seq: number; text: string; payload: unknown }
  | { kind: "gap"; first: number; last: number; dropped: number }
  | {
      kind: "info";
      msg: string;
      topic?: string | undefined;
      reason?: string | undefined;
      retry_after_ms?: number | undefined;
    }
  | { kind: "heartbeat" }
  | { kind: "refused"; code: string; problem: string; status?: number }
);

/** What a frame says, the same on both transports. */
export function receivedOf(frame: Frame, text = JSON.stringify(frame)): Received {
  switch (frame.type) {
    case "event":
      return { kind: "event", seq: frame.seq, text, payload: frame.message.payload };
    case "info": {
      const { type, ts, ...info } = frame;
      return info.msg === "ping" ? { kind: "heartbeat" } : { kind: "info", ...info };
    }
    case "error": {
      const { code, message } = frame.error;
      if (code !== "SLOW_CONSUMER") return { kind: "refused", code, problem: message };
      const { first_seq: first, last_seq: last, dropped } = gapOf(frame);
      return { kind: "gap", first, last, dropped };
    }
    case "ack": {
      const { epoch, seq, replay, recovered, missed } = frame;
      if (epoch === undefined || seq === undefined || replay === undefined) break;
      const outcome = {
        ...(recovered === undefined ? {} : { recovered }),
        ...(missed === undefined ? {} : { missed }),
      };
      return { kind: "subscribed", epoch, seq, replay, ...outcome };
    }
  }
  throw new Error(`Not expected by a subscriber: ${text}`);
}
