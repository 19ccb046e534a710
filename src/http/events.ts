import type { Broker } from "../broker/broker.ts";
import type { Clock } from "../ops/clock.ts";
import { ProtocolError, shuttingDown, type ErrorCode } from "../protocol/codes.ts";
import { encodeAnswer } from "../protocol/encode.ts";
import { parseEventId, retryField, STREAM_HEADERS, streamEvent } from "../protocol/event-stream.ts";
import { readStreamQuery, type StreamQuery } from "../protocol/http.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { Throttle } from "../ops/throttle.ts";
import type { SseTransport, Timeouts } from "../transport/sse.ts";
import { checked } from "./body.ts";
import { noteRefusal } from "./route.ts";
import { queryOf, topicOf, type RoutedRequest } from "./topic-path.ts";

type Deps = {
  broker: Broker;
  events: SseTransport;
  clock: Clock;
  metrics: Metrics;
  throttle: Throttle;
  stopping: () => boolean;
};

/** Why a stream cannot be served now, but may be later. */
const PASSING: readonly ErrorCode[] = ["TOPIC_NOT_FOUND", "LIMIT_EXCEEDED", "SHUTTING_DOWN"];

/** `GET /topics/{name}/events`: the answer is a stream of server-sent events, save to `HEAD`. */
export function openEvents(deps: Deps) {
  const { broker, events, stopping } = deps;
  return (request: RoutedRequest, server: Timeouts): Response => {
    const query = checked(readStreamQuery(queryOf(request)));
    const since = startOf(request, query);
    try {
      if (stopping()) throw shuttingDown();
      if (request.method === "HEAD") {
        events.checkRoom();
        broker.topic(topicOf(request));
        // A body that is not sent, but has no length: an answer to GET has none either (RFC 9110 §8.6).
        return new Response(new ReadableStream(), { headers: STREAM_HEADERS });
      }
      return open(deps, request, server, query, since);
    } catch (cause) {
      const isPassing = cause instanceof ProtocolError && PASSING.includes(cause.code);
      if (isPassing && since !== undefined) return later(deps, cause);
      throw cause;
    }
  };
}

function open(
  { broker, events }: Deps,
  request: RoutedRequest,
  server: Timeouts,
  { last_n, client_id = Bun.randomUUIDv7(), queue, overflow }: StreamQuery,
  since: StreamQuery["since"],
): Response {
  const topic = topicOf(request);
  // Who comes back asks for what it missed, not once more for what it first asked for.
  if (since === undefined) return events.open(request, server, topic, client_id, { last_n, queue, overflow });
  // Of a topic that its first use creates there is no present epoch yet, and no position of it is known.
  const position = { seq: since.seq, epoch: since.epoch ?? broker.topics.get(topic)?.epoch ?? "" };
  return events.open(request, server, topic, client_id, { since: position, queue, overflow });
}

/**
 * The answer to one who comes back and cannot be served now: a browser's `EventSource` does not come back another time from
 * any status but 200.
 */
function later(deps: Deps, refusal: ProtocolError): Response {
  noteRefusal(deps, refusal);
  const { code, message, topic } = refusal;
  const error = encodeAnswer({ type: "error", topic, error: { code, message } }, undefined, deps.clock.iso());
  return new Response(`${retryField()}${streamEvent(error, { name: "error" })}`, { headers: STREAM_HEADERS });
}

/** The position that a client goes on from: the one that a lost connection left it with (HTML §9.2.4), or the one it asks for. */
function startOf(request: RoutedRequest, { since }: StreamQuery): StreamQuery["since"] {
  const text = request.headers.get("last-event-id");
  if (text === null || text === "") return since;
  const position = parseEventId(text);
  if (position !== undefined) return position;
  throw new ProtocolError("BAD_REQUEST", "'Last-Event-ID' must be the id of an event of this server, EPOCH:SEQ");
}
