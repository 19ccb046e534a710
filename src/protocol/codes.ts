/** Every error code, with the HTTP status and title that a problem document carries for it by default. */
export const ERRORS = {
  BAD_REQUEST: { status: 400, title: "Bad request" },
  TOPIC_NOT_FOUND: { status: 404, title: "Topic not found" },
  SLOW_CONSUMER: { status: 503, title: "Slow consumer" },
  UNAUTHORIZED: { status: 403, title: "Not allowed" },
  TOO_LARGE: { status: 413, title: "Too large" },
  LIMIT_EXCEEDED: { status: 429, title: "Limit exceeded" },
  INTERNAL: { status: 500, title: "Internal error" },
  SHUTTING_DOWN: { status: 503, title: "Shutting down" },
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** The ways in which the server itself closes a WebSocket (RFC 6455 §7.4; 4000 and up are ours). */
export const CLOSE = {
  shuttingDown: { code: 1001, reason: "shutting down" },
  slowConsumer: { code: 1013, reason: "slow consumer" },
  topicDeleted: { code: 4404, reason: "topic deleted" },
  noSignOfLife: { code: 4408, reason: "no sign of life" },
  limitExceeded: { code: 4429, reason: "limit exceeded" },
} as const;

export type Close = (typeof CLOSE)[keyof typeof CLOSE];

/** A request that cannot be granted, in the words its sender is told. Thrown by the broker, answered by a transport. */
export class Refusal extends Error {
  readonly code: ErrorCode;
  readonly topic: string | undefined;
  /** The HTTP status where the code's own does not fit. */
  readonly status: number;

  constructor(code: ErrorCode, message: string, details: { topic?: string; status?: number } = {}) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.topic = details.topic;
    this.status = details.status ?? ERRORS[code].status;
  }
}

export function shuttingDown(): Refusal {
  return new Refusal("SHUTTING_DOWN", "The server is shutting down");
}

export function topicNotFound(topic: string): Refusal {
  return new Refusal("TOPIC_NOT_FOUND", `Topic '${topic}' not found`, { topic });
}

/** Names the limit and its value, so that whoever reads it knows what to raise. */
export function limitExceeded(
  limit: string,
  value: number,
  details: { topic?: string; status?: number } = {},
): Refusal {
  return new Refusal("LIMIT_EXCEEDED", `${limit} is ${value}: that many are in use already`, details);
}
