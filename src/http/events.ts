import type { Authenticator } from "../auth/authenticator.ts";
import type { Grant } from "../auth/permissions.ts";
import type { Broker } from "../broker/broker.ts";
import type { Engine } from "../engine/engine.ts";
import type { Clock } from "../ops/clock.ts";
import { ProtocolError, shuttingDown, type ErrorCode } from "../protocol/codes.ts";
import { encodeAnswer } from "../protocol/encode.ts";
import { parseEventId, retryField, STREAM_HEADERS, streamEvent } from "../protocol/event-stream.ts";
import { readEventsQuery } from "../protocol/http.ts";
import type { EventsQuery } from "../protocol/schema.ts";
import type { Fields } from "../ops/logger.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { Throttle } from "../ops/throttle.ts";
import type { SseTransport, StreamRequest, Timeouts } from "../transport/sse.ts";
import { checkStill } from "./access.ts";
import { checked } from "./body.ts";
import type { AddressOf } from "./client.ts";
import { noteRefusal } from "../ops/refusals.ts";
import { factsOf, REQUEST } from "./route.ts";
import { queryOf, topicOf, type RoutedRequest } from "./topic-path.ts";

type Deps = {
  auth: Authenticator;
  broker: Broker;
  engine: Engine;
  events: SseTransport;
  clock: Clock;
  metrics: Metrics;
  throttle: Throttle;
  stopping: () => boolean;
  addressOf: AddressOf;
};

/** Errors after which a stream may be served later. */
const PASSING: readonly ErrorCode[] = ["TOPIC_NOT_FOUND", "LIMIT_EXCEEDED", "SHUTTING_DOWN", "UNAVAILABLE"];

/** `GET /topics/{name}/events` answers with a stream of server-sent events; `HEAD` only with its headers. */
export function openEvents(deps: Deps) {
  const { engine, events, stopping, addressOf } = deps;
  return async (request: RoutedRequest, server: Timeouts, grant: Grant | undefined): Promise<Response> => {
    const query = checked(readEventsQuery(queryOf(request)));
    const since = startOf(request, query);
    const address = addressOf(request, server);
    try {
      if (stopping()) throw shuttingDown();
      if (request.method === "HEAD") {
        events.checkRoom(address);
        await engine.findTopic(topicOf(request));
        // The body is not sent and has no length, because the answer to GET has none either (RFC 9110 §8.6).
        return new Response(new ReadableStream(), { headers: STREAM_HEADERS });
      }
      return await open(deps, topicOf(request), { request, server, grant, address }, query, since);
    } catch (cause) {
      const isPassing = cause instanceof ProtocolError && PASSING.includes(cause.code);
      if (isPassing && since !== undefined) return later(deps, cause, factsOf(request, address));
      throw cause;
    }
  };
}

async function open(
  { auth, broker, engine, events }: Deps,
  topic: string,
  stream: StreamRequest,
  { last_n, client_id: clientId = Bun.randomUUIDv7(), queue, overflow }: EventsQuery,
  since: EventsQuery["since"],
): Promise<Response> {
  const { signal } = stream.request;
  const peer = events.prepare(stream);
  // A client that comes back asks for what it missed. The `last_n` that it first asked for no longer counts. A `SEQ` without
  // an epoch names no position in a topic that this request creates.
  const optionsAfter = (before = "") => {
    if (since === undefined) return { last_n, queue, overflow };
    return { since: { seq: since.seq, epoch: since.epoch ?? before }, queue, overflow };
  };
  return engine.subscribe(topic, peer.session.claim(clientId), {
    check: (before) => broker.check(peer.session, topic, clientId, optionsAfter(before)),
    begin: (before) => {
      // The client has hung up while the engine was asked: nobody reads this answer.
      if (signal.aborted) return new Response(null, { status: 204 });
      checkStill(auth, stream.grant, "subscribe", topic);
      return events.open(stream, peer, topic, clientId, optionsAfter(before));
    },
  });
}

/**
 * Answers a client that comes back and cannot be served now. The status is 200: after any other, a browser's
 * `EventSource` does not come back again.
 */
function later(deps: Deps, error: ProtocolError, facts: Fields): Response {
  noteRefusal(deps, error, REQUEST, facts);
  const { code, message, topic } = error;
  const frame = encodeAnswer({ type: "error", topic, error: { code, message } }, undefined, deps.clock.iso());
  return new Response(`${retryField()}${streamEvent(frame, { name: "error" })}`, { headers: STREAM_HEADERS });
}

/** The position that a client continues from: `Last-Event-ID` after a lost connection (HTML §9.2.4), otherwise `since`. */
function startOf(request: RoutedRequest, { since }: EventsQuery): EventsQuery["since"] {
  const text = request.headers.get("last-event-id");
  if (text === null || text === "") return since;
  const position = parseEventId(text);
  if (position !== undefined) return position;
  throw new ProtocolError("BAD_REQUEST", "'Last-Event-ID' must be the id of an event of this server, EPOCH:SEQ");
}
