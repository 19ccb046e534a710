import { z } from "zod";
import { problemDocument, serverFrame } from "../../src/protocol/schema.ts";
import type { Gap, ServerFrame } from "../../src/protocol/frames.ts";
import { checked } from "./contract.ts";
import type { ReceivedEvent } from "./event-stream.ts";

type KeyOf<U> = U extends unknown ? keyof U : never;
type ValueOf<U, K> = U extends unknown ? (K extends keyof U ? U[K] : never) : never;
/** Any of `U`: what they all have, and every other field of `More` as one that may be missing. */
type Loose<U, More = U> = Pick<U, keyof U> & {
  readonly [K in Exclude<KeyOf<More>, keyof U>]?: ValueOf<U, K> | undefined;
};

type Kind<T> = Extract<ServerFrame, { type: T }>;
/** A frame of one type, with every field that any frame has, so that a test may ask for it without asking first. */
type Typed<T extends ServerFrame["type"]> = Loose<Kind<T>, ServerFrame>;

export type AckFrame = Typed<"ack">;
export type EventFrame = Typed<"event">;
export type ErrorFrame = Omit<Typed<"error">, "error"> & { error: Loose<Kind<"error">["error"]> };
/** What a client is sent, as tests read it. */
export type Frame = AckFrame | EventFrame | ErrorFrame | Typed<"info"> | Typed<"pong">;

// Some tests read many thousand frames.
const frameSchema = z.compile(serverFrame, { strict: true });

/** Reads a frame, which must be as its schema has it. */
export function parseFrame(text: string): Frame {
  return checked("frame", frameSchema, text);
}

/** The gap that an error tells of. */
export function gapOf(frame: ErrorFrame): Gap {
  const { dropped, first_seq, last_seq } = frame.error;
  if (dropped !== undefined && first_seq !== undefined && last_seq !== undefined)
    return { dropped, first_seq, last_seq };
  throw new Error(`An error that tells of no gap: ${JSON.stringify(frame)}`);
}

/** Reads the frame of an event, which must be named after it. */
export function parseStreamFrame({ type, data }: ReceivedEvent): Frame {
  const frame = parseFrame(data);
  if (type !== nameOf(frame)) throw new Error(`An event named '${type}' carries ${data}`);
  return frame;
}

/** The name of the event that carries a frame over an event stream. */
function nameOf(frame: Frame): string {
  switch (frame.type) {
    case "event":
      return "message";
    case "ack":
      return "subscribed";
    case "error":
      return frame.error.code === "SLOW_CONSUMER" ? "slow_consumer" : "error";
    default:
      return frame.type;
  }
}

/** Reads a problem document. */
export function parseProblem(text: string): z.infer<typeof problemDocument> {
  return checked("problem document", problemDocument, text);
}
