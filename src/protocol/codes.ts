/**
 * Every error code, each with one meaning. Its HTTP status stands only here, with the title from RFC 9110 §15 (429: RFC
 * 6585 §4).
 *
 * `SLOW_CONSUMER` has no status: it is told on a connection, and answers no request.
 */
export const ERRORS = {
  BAD_REQUEST: { status: 400, title: "Bad Request" },
  UNAUTHORIZED: { status: 401, title: "Unauthorized" },
  FORBIDDEN: { status: 403, title: "Forbidden" },
  NOT_FOUND: { status: 404, title: "Not Found" },
  TOPIC_NOT_FOUND: { status: 404, title: "Not Found" },
  METHOD_NOT_ALLOWED: { status: 405, title: "Method Not Allowed" },
  TOPIC_EXISTS: { status: 409, title: "Conflict" },
  EPOCH_OVER: { status: 410, title: "Gone" },
  PRECONDITION_FAILED: { status: 412, title: "Precondition Failed" },
  TOO_LARGE: { status: 413, title: "Content Too Large" },
  UNSUPPORTED_ENCODING: { status: 415, title: "Unsupported Media Type" },
  UPGRADE_REQUIRED: { status: 426, title: "Upgrade Required" },
  LIMIT_EXCEEDED: { status: 429, title: "Too Many Requests" },
  SLOW_CONSUMER: { status: undefined, title: "Slow consumer" },
  INTERNAL: { status: 500, title: "Internal Server Error" },
  SHUTTING_DOWN: { status: 503, title: "Service Unavailable" },
  UNAVAILABLE: { status: 503, title: "Service Unavailable" },
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** A code that answers a request. */
export type AnswerCode = Exclude<ErrorCode, "SLOW_CONSUMER">;

/** How the server closes a WebSocket (RFC 6455 §7.4). Codes from 4000 on are our own. */
export const CLOSE = {
  shuttingDown: { code: 1001, reason: "shutting down" },
  slowConsumer: { code: 1013, reason: "slow consumer" },
  unauthorized: { code: 4401, reason: "unauthorized" },
  topicDeleted: { code: 4404, reason: "topic deleted" },
  noSignOfLife: { code: 4408, reason: "no sign of life" },
  limitExceeded: { code: 4429, reason: "limit exceeded" },
} as const;

export type Close = (typeof CLOSE)[keyof typeof CLOSE];

/** The settings that a `LIMIT_EXCEEDED` or a `TOO_LARGE` may be about. */
export const LIMITS = [
  "ENGINE_PENDING_BYTES",
  "MAX_BATCH_MESSAGES",
  "MAX_BYTES_PER_SECOND",
  "MAX_CONNECTIONS",
  "MAX_CONNECTIONS_PER_ADDRESS",
  "MAX_HTTP_REQUESTS",
  "MAX_MESSAGE_BYTES",
  "MAX_MESSAGES_PER_SECOND",
  "MAX_SUBSCRIBER_QUEUE",
  "MAX_SUBSCRIPTIONS_PER_CONNECTION",
  "MAX_TOPICS",
  "UNREAD_ANSWER_BYTES",
  "UNSENT_EVENT_BYTES",
  "WAITING_FRAME_BYTES",
] as const;

export type Limit = (typeof LIMITS)[number];

/** A request that cannot be granted, in the words that its sender is told. Transports and HTTP answer it. */
export class ProtocolError extends Error {
  readonly code: AnswerCode;
  readonly topic: string | undefined;
  /** The setting that is exceeded, if it is one. */
  readonly limit: Limit | undefined;

  constructor(code: AnswerCode, message: string, details: { topic?: string; limit?: Limit; cause?: unknown } = {}) {
    super(message, { cause: details.cause });
    this.name = "ProtocolError";
    this.code = code;
    this.topic = details.topic;
    this.limit = details.limit;
  }
}

export function shuttingDown(): ProtocolError {
  return new ProtocolError("SHUTTING_DOWN", "The server is shutting down");
}

/** @param reason why the engine cannot do it */
export function unavailable(reason: string): ProtocolError {
  return new ProtocolError("UNAVAILABLE", reason);
}

export function topicNotFound(topic: string): ProtocolError {
  return new ProtocolError("TOPIC_NOT_FOUND", `Topic '${topic}' not found`, { topic });
}

/** A position is of another epoch than the topic's. */
export function epochOver(topic: string, asked: string, present: string): ProtocolError {
  const message = `Epoch '${asked}' of topic '${topic}' is over: it is '${present}' now`;
  return new ProtocolError("EPOCH_OVER", message, { topic });
}

/** The credential does not allow the action, on that topic if there is one. */
export function forbidden(action: string, topic: string | undefined): ProtocolError {
  if (topic === undefined) return new ProtocolError("FORBIDDEN", `This credential does not allow '${action}'`);
  return new ProtocolError("FORBIDDEN", `This credential does not allow '${action}' on '${topic}'`, { topic });
}

/** Names the limit and its value, so that the reader knows what to raise. */
export function limitExceeded(limit: Limit, value: number, details: { topic?: string } = {}): ProtocolError {
  return new ProtocolError("LIMIT_EXCEEDED", `${limit} is ${value}: that many are in use already`, {
    ...details,
    limit,
  });
}
