import { z } from "zod";
import { problemDocument, serverFrame } from "../../src/protocol/sent-schema.ts";
import type { Gap, ServerFrame } from "../../src/protocol/frames.ts";
import { checked } from "./contract.ts";
import type { ReceivedEvent } from "./event-stream.ts";

type KeyOf<U> = U extends unknown ? keyof U : never;
type ValueOf<U, K> = U extends unknown ? (K extends keyof U ? U[K] : never) : never;
/** One of `U`, with every other field of `More` as an optional one. */
type Loose<U, More = U> = Pick<U, keyof U> & {
  readonly [K in Exclude<KeyOf<More>, keyof U>]?: ValueOf<U, K> | undefined;
};

type Kind<T> = Extract<ServerFrame, { type: T }>;
/** A frame of one type. It has every field that any frame has, so that a test need not narrow it first. */
type Typed<T extends ServerFrame["type"]> = Loose<Kind<T>, ServerFrame>;

export type AckFrame = Typed<"ack">;
export type EventFrame = Typed<"event">;
export type ErrorFrame = Omit<Typed<"error">, "error"> & { error: Loose<Kind<"error">["error"]> };
/** A frame of the server, as tests read it. */
export type Frame = AckFrame | EventFrame | ErrorFrame | Typed<"info"> | Typed<"pong">;

// Compiled, because some tests read many thousand frames.
const frameSchema = z.compile(serverFrame, { strict: true });

/** Parses a frame by its schema. */
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

/** Parses the frame of an event, whose name must fit the frame. */
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

/** Parses a problem document. */
export function parseProblem(text: string): z.infer<typeof problemDocument> {
  return checked("problem document", problemDocument, text);
}
