import type { Position, ServerFrame } from "../protocol/frames.ts";

type Fields = { readonly [field: string]: unknown };

/**
 * Reads a frame of the server; undefined if the text is none, or has not the fields that its type needs.
 *
 * A server may add fields, and so they are not looked at.
 */
export function readFrame(text: string): ServerFrame | undefined {
  const value = parse(text);
  return isServerFrame(value) ? value : undefined;
}

/** Reads JSON; undefined if the text is none. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

export function isMessage(value: unknown): value is { id: string; payload: unknown } {
  return isFields(value) && isText(value["id"]) && "payload" in value;
}

export const isText = (value: unknown) => typeof value === "string";
export const isSeq = (value: unknown) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;

/** A field that may be missing, but is not anything else. */
const maybe = (is: (value: unknown) => boolean, value: unknown) => value === undefined || is(value);
const isRange = (value: unknown) => isFields(value) && isSeq(value["first_seq"]) && isSeq(value["last_seq"]);

function isServerFrame(value: unknown): value is ServerFrame {
  if (!isFields(value) || !isText(value["ts"])) return false;
  const { type, topic, error } = value;
  switch (type) {
    case "event":
      return isText(topic) && isSeq(value["seq"]) && isMessage(value["message"]);
    case "ack":
      return (
        ["epoch", "expires_at", "topic"].every((field) => maybe(isText, value[field])) &&
        ["base", "seq", "replay", "first_seq", "count"].every((field) => maybe(isSeq, value[field])) &&
        maybe(isRange, value["missed"])
      );
    case "error":
      if (!isFields(error) || !isText(error["code"]) || !isText(error["message"])) return false;
      return error["code"] !== "SLOW_CONSUMER" || (isText(topic) && isRange(error));
    case "info":
      if (value["msg"] === "server_shutdown") return isSeq(value["retry_after_ms"]);
      if (value["msg"] === "epoch_changed") return isText(topic) && isText(value["epoch"]) && isSeq(value["seq"]);
      return isText(value["msg"]) && maybe(isText, topic);
    default:
      return type === "pong";
  }
}

/** Reads a position that is written as `EPOCH:SEQ`. */
export function readPosition(position: Position | string): Position {
  if (typeof position !== "string") return position;
  const colon = position.lastIndexOf(":");
  const seq = Number(position.slice(colon + 1));
  if (colon < 1 || !isSeq(seq)) throw new TypeError(`A position is EPOCH:SEQ, not '${position}'`);
  return { epoch: position.slice(0, colon), seq };
}
