import type { Broker } from "../broker/broker.ts";
import type { Clock } from "../ops/clock.ts";
import { Refusal } from "../protocol/codes.ts";
import { encodeNotice } from "../protocol/encode.ts";
import { parseEventId, STREAM_HEADERS, streamEvent, type Position } from "../protocol/event-stream.ts";
import { readStreamQuery } from "../protocol/http.ts";
import type { SseTransport, Timeouts } from "../transport/sse.ts";
import { checked } from "./body.ts";
import { topicOf, type RoutedRequest } from "./topic-path.ts";

type Deps = { broker: Broker; events: SseTransport; clock: Clock; stopping: () => boolean };

/** `GET /topics/{name}/events`: the answer is a stream of server-sent events, save to `HEAD`. */
export function openEvents({ broker, events, clock, stopping }: Deps) {
  return (request: RoutedRequest, server: Timeouts): Response => {
    if (stopping()) return goodbye(clock);
    const {
      last_n,
      client_id = Bun.randomUUIDv7(),
      queue,
      overflow,
    } = checked(readStreamQuery(new URL(request.url).searchParams));
    const since = lastSeen(request);
    const topic = topicOf(request);
    if (request.method === "HEAD") {
      broker.topic(topic);
      return new Response(null, { headers: STREAM_HEADERS });
    }
    // Who comes back asks for what it missed, not once more for what it first asked for.
    const asked = since === undefined ? { last_n, queue, overflow } : { since, queue, overflow };
    return events.open(request, server, topic, client_id, asked);
  };
}

/**
 * The answer while the server shuts down. To any status but 200 a browser's `EventSource` does not come back, and after
 * a restart it shall.
 */
function goodbye(clock: Clock): Response {
  const info = encodeNotice({ type: "info", msg: "server_shutdown" }, clock.iso());
  return new Response(streamEvent(info, { name: "info" }), { headers: STREAM_HEADERS });
}

/** The position that a client which lost its connection names (HTML §9.2.4). */
function lastSeen(request: RoutedRequest): Position | undefined {
  const text = request.headers.get("last-event-id");
  if (text === null || text === "") return undefined;
  const position = parseEventId(text);
  if (position !== undefined) return position;
  throw new Refusal("BAD_REQUEST", "'Last-Event-ID' must be the id of an event of this server, EPOCH:SEQ");
}
