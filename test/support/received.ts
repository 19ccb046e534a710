import { z } from "zod";
import { parseFrame } from "./client.ts";
import type { ReceivedEvent } from "./event-stream.ts";

/** What a subscriber is told, whatever it is told it by; over an event stream, with the position to resume from then. */
export type Received = { lastEventId?: string } & (
  | ({ kind: "subscribed" } & z.infer<typeof subscribedSchema>)
  | { kind: "event"; seq: number; text: string; payload: unknown }
  | { kind: "gap"; first: number; last: number; dropped: number }
  | { kind: "info"; msg: string; topic?: string; reason?: string; retry_after_ms?: number }
  | { kind: "heartbeat" }
  | { kind: "refused"; code: string; problem: string; status?: number }
);

const subscribedSchema = z.object({
  epoch: z.string(),
  seq: z.number(),
  replay: z.number(),
  recovered: z.boolean().optional(),
  missed: z.object({ first_seq: z.number(), last_seq: z.number() }).optional(),
});
const eventSchema = z.object({ seq: z.number(), message: z.object({ payload: z.unknown() }) });
const gapSchema = z
  .object({ error: z.object({ first_seq: z.number(), last_seq: z.number(), dropped: z.number() }) })
  .transform(({ error: { first_seq: first, last_seq: last, dropped } }) => ({ first, last, dropped }));
const infoSchema = z.object({
  msg: z.string(),
  topic: z.string().exactOptional(),
  reason: z.string().exactOptional(),
  retry_after_ms: z.number().exactOptional(),
});
const problemSchema = z.object({ status: z.number(), code: z.string(), detail: z.string() });

/** What a frame says, the same on both transports. */
export function readFrame(text: string): Received {
  const frame = parseFrame(text);
  switch (frame.type) {
    case "event": {
      const { seq, message } = eventSchema.parse(frame);
      return { kind: "event", seq, text, payload: message.payload };
    }
    case "info": {
      const info = infoSchema.parse(frame);
      return info.msg === "ping" ? { kind: "heartbeat" } : { kind: "info", ...info };
    }
    case "error":
      if (frame.error?.code === "SLOW_CONSUMER") return { kind: "gap", ...gapSchema.parse(frame) };
      return { kind: "refused", code: frame.error?.code ?? "", problem: frame.error?.message ?? "" };
    case "ack":
      return { kind: "subscribed", ...subscribedSchema.parse(frame) };
  }
  throw new Error(`Not expected by a subscriber: ${text}`);
}

const FRAMES: Record<string, string> = {
  message: "event",
  subscribed: "ack",
  slow_consumer: "error",
  error: "error",
  info: "info",
};

/** What an event of a stream says, which must be named after the frame that it carries. */
export function readStreamEvent({ type, data, lastEventId }: ReceivedEvent): Received {
  if (FRAMES[type] !== parseFrame(data).type) throw new Error(`An event named '${type}' carries ${data}`);
  return { ...readFrame(data), lastEventId };
}

/** What a problem document says. */
export function readProblem(text: string): Received {
  const { status, code, detail } = problemSchema.parse(JSON.parse(text));
  return { kind: "refused", code, problem: detail, status };
}
