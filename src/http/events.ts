import type { Broker } from "../broker/broker.ts";
import type { Engine } from "../engine/engine.ts";
import type { Clock } from "../ops/clock.ts";
import { ProtocolError, shuttingDown, type ErrorCode } from "../protocol/codes.ts";
import { encodeAnswer } from "../protocol/encode.ts";
import { parseEventId, retryField, STREAM_HEADERS, streamEvent } from "../protocol/event-stream.ts";
import { readEventsQuery } from "../protocol/http.ts";
import type { EventsQuery } from "../protocol/schema.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { Throttle } from "../ops/throttle.ts";
import type { SseTransport, Timeouts } from "../transport/sse.ts";
import { checked } from "./body.ts";
import { noteError } from "./route.ts";
import { queryOf, topicOf, type RoutedRequest } from "./topic-path.ts";

type Deps = {
  broker: Broker;
  engine: Engine;
  events: SseTransport;
  clock: Clock;
  metrics: Metrics;
  throttle: Throttle;
  stopping: () => boolean;
};

/** Why a stream cannot be served now, but may be later. */
const PASSING: readonly ErrorCode[] = ["TOPIC_NOT_FOUND", "LIMIT_EXCEEDED", "SHUTTING_DOWN", "UNAVAILABLE"];

/** `GET /topics/{name}/events`: the answer is a stream of server-sent events, save to `HEAD`. */
export function openEvents(deps: Deps) {
  const { engine, events, stopping } = deps;
  return async (request: RoutedRequest, server: Timeouts): Promise<Response> => {
    const query = checked(readEventsQuery(queryOf(request)));
    const since = startOf(request, query);
    try {
      if (stopping()) throw shuttingDown();
      if (request.method === "HEAD") {
        events.checkRoom();
        await engine.findTopic(topicOf(request));
        // A body that is not sent, but has no length: an answer to GET has none either (RFC 9110 §8.6).
        return new Response(new ReadableStream(), { headers: STREAM_HEADERS });
      }
      return await open(deps, request, server, query, since);
    } catch (cause) {
      const isPassing = cause instanceof ProtocolError && PASSING.includes(cause.code);
      if (isPassing && since !== undefined) return later(deps, cause);
      throw cause;
    }
  };
}

async function open(
  { broker, engine, events }: Deps,
  request: RoutedRequest,
  server: Timeouts,
  { last_n, client_id = Bun.randomUUIDv7(), queue, overflow }: EventsQuery,
  since: EventsQuery["since"],
): Promise<Response> {
  const topic = topicOf(request);
  // Of a topic that its first use creates there is no present epoch yet, and no position of it is known.
  const present = broker.epochOf(topic) ?? "";
  const { signal } = request;
  await engine.openTopic(topic);
  // Nobody reads what is answered to one who has hung up meanwhile.
  if (signal.aborted) return new Response(null, { status: 204 });
  // Who comes back asks for what it missed, not once more for what it first asked for.
  if (since === undefined) return events.open(request, server, topic, client_id, { last_n, queue, overflow });
  const position = { seq: since.seq, epoch: since.epoch ?? present };
  return events.open(request, server, topic, client_id, { since: position, queue, overflow });
}

/**
 * The answer to one who comes back and cannot be served now: a browser's `EventSource` does not come back another time from
 * any status but 200.
 */
function later(deps: Deps, error: ProtocolError): Response {
  noteError(deps, error);
  const { code, message, topic } = error;
  const frame = encodeAnswer({ type: "error", topic, error: { code, message } }, undefined, deps.clock.iso());
  return new Response(`${retryField()}${streamEvent(frame, { name: "error" })}`, { headers: STREAM_HEADERS });
}

/** The position that a client goes on from: the one that a lost connection left it with (HTML §9.2.4), or the one it asks for. */
function startOf(request: RoutedRequest, { since }: EventsQuery): EventsQuery["since"] {
  const text = request.headers.get("last-event-id");
  if (text === null || text === "") return since;
  const position = parseEventId(text);
  if (position !== undefined) return position;
  throw new ProtocolError("BAD_REQUEST", "'Last-Event-ID' must be the id of an event of this server, EPOCH:SEQ");
}
