import type { AnswerCode, ErrorCode } from "../protocol/codes.ts";

/** What can go wrong here, besides what the server answers. */
export type ClientErrorCode =
  | ErrorCode
  /** The client was closed, by {@link Client.close} or for good. */
  | "CLOSED"
  /** No connection can be made, or it was lost. */
  | "DISCONNECTED"
  /** As many publishes wait for their acks as may. */
  | "QUEUE_FULL"
  /** The client is subscribed to the topic already. */
  | "SUBSCRIBED"
  /** The topic was deleted while it was subscribed to. */
  | "TOPIC_DELETED"
  /** Another connection subscribes under the same `client_id`. */
  | "REPLACED"
  /** The credential does not allow the subscription any more. */
  | "REVOKED"
  /** What the server sent is not the protocol. */
  | "PROTOCOL";

/** What the server answers when it cannot do now what it may do later. */
export const PASSING: readonly AnswerCode[] = ["SHUTTING_DOWN", "UNAVAILABLE", "INTERNAL"];

/** Whatever this library rejects with, or hands to `onError`. `code` says what it is. */
export class PubSubError extends Error {
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "PubSubError";
    this.code = code;
  }
}
