/**
 * The types of all frames, both ways. They need no zod, so that a client can share them. `schema.ts` and
 * `sent-schema.ts` have the schema of each.
 */
import type { AnswerCode } from "./codes.ts";

/** The ways in which a client can be connected. */
export const TRANSPORTS = ["websocket", "sse"] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** What happens to a subscriber whose queue is full. */
export const OVERFLOWS = ["drop_oldest", "latest", "disconnect"] as const;
export type Overflow = (typeof OVERFLOWS)[number];

/** A place in a topic's life. `seq` counts from 1, and goes on counting in a new epoch of the same topic; 0 is before the first message. */
export type Position = { epoch: string; seq: number };

/** Every `seq` from first to last, both included. */
export type SeqRange = { first_seq: number; last_seq: number };

/** Events that a subscriber was not sent, and never will be. */
export type Gap = SeqRange & { dropped: number };

type RequestId = string | number;
type Request = { request_id?: RequestId | undefined };

export type SubscribeFrame = Request & {
  type: "subscribe";
  topic: string;
  client_id: string;
  /** How many of the newest messages in history to replay. Excludes `since`. */
  last_n?: number | undefined;
  /** Replay everything after this position; as a string it is `EPOCH:SEQ`. */
  since?: Position | string | undefined;
  /** How many messages may wait for the subscriber: 1 to `MAX_SUBSCRIBER_QUEUE`. */
  queue?: number | undefined;
  overflow?: Overflow | undefined;
};
export type UnsubscribeFrame = Request & { type: "unsubscribe"; topic: string; client_id: string };
export type PublishFrame = Request & {
  type: "publish";
  topic: string;
  ack?: boolean | undefined;
  /** Not to publish again what history has already, if that was published with `dedupe`, too. */
  dedupe?: boolean | undefined;
  /** The trace that the messages belong to (W3C Trace Context). It is delivered with them. */
  traceparent?: string | undefined;
} & ({ message: { id: string; payload: unknown } } | { messages: { id: string; payload: unknown }[] });
export type PingFrame = Request & { type: "ping" };
export type AuthFrame = Request & { type: "auth"; token: string };
export type ClientFrame = SubscribeFrame | UnsubscribeFrame | PublishFrame | PingFrame | AuthFrame;

/** A problem document (RFC 9457 §3), which HTTP answers instead of an error frame. */
export type Problem = { type: "about:blank"; status: number; title: string; detail: string; code: AnswerCode };

/** When the frame was made, or the event published. ISO 8601, UTC. */
type Dated = { ts: string };

/**
 * The beginning of a subscription. `seq` is the newest message at that moment. `base` is there if the epoch does not begin
 * with message 1, but after that one. `replay` is how many events follow from
 * history. If a position was asked for, `recovered` says whether everything after it follows. If not, `missed` says
 * what is lost for good, as far as that can be told.
 */
export type Subscribed = {
  topic: string;
  epoch: string;
  base?: number | undefined;
  seq: number;
  replay: number;
  recovered?: boolean | undefined;
  missed?: SeqRange | undefined;
};

/** Until when a credential holds, and the topics whose subscriptions it has ended, because it does not allow them. */
export type Authorized = { expires_at?: string | undefined; revoked?: string[] | undefined };

/** What answers a frame, except the ack of a publish. */
export type Answer =
  | { type: "ack"; topic: string; status: "ok" }
  | ({ type: "ack"; status: "ok" } & Subscribed)
  | { type: "error"; topic?: string | undefined; error: { code: AnswerCode; message: string } }
  | ({ type: "ack"; status: "ok" } & Authorized)
  | { type: "pong" };

/** A frame that is neither an answer nor an event. */
export type Notice =
  | { type: "info"; msg: "topic_deleted"; topic: string; reason?: "shutdown" | undefined }
  /** The engine lost the topic's past. What was sent before stays valid; events of the new epoch come after `seq`. */
  | ({ type: "info"; msg: "epoch_changed"; topic: string } & Position)
  | { type: "info"; msg: "subscription_replaced"; topic: string }
  | { type: "info"; msg: "subscription_revoked"; topic: string }
  | { type: "info"; msg: "token_expired" }
  | { type: "info"; msg: "server_shutdown"; retry_after_ms: number }
  | { type: "info"; msg: "ping" }
  | { type: "error"; topic: string; error: Gap & { code: "SLOW_CONSUMER"; message: string } };

/**
 * The ack of a publish. For a batch it also says how many messages were published, and the `seq` of the first. It is a
 * `duplicate` if all were published before; the rest then is as it was the first time.
 */
export type PublishedAck = {
  type: "ack";
  topic: string;
  status: "ok";
  epoch: string;
  seq: number;
  duplicate?: true | undefined;
} & ({ first_seq: number; count: number } | { first_seq?: undefined; count?: undefined });

export type EventFrame = Dated & {
  type: "event";
  topic: string;
  seq: number;
  traceparent?: string | undefined;
  message: { id: string; payload: unknown };
};

export type ServerFrame = EventFrame | (Dated & Request & (Answer | PublishedAck)) | (Dated & Notice);
