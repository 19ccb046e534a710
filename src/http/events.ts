import { Refusal } from "../protocol/codes.ts";
import { parseEventId, STREAM_HEADERS, type Position } from "../protocol/event-stream.ts";
import { readStreamQuery } from "../protocol/http.ts";
import type { SseTransport, Timeouts } from "../transport/sse.ts";
import { checked } from "./body.ts";
import { topicOf } from "./topic-path.ts";

/** `GET /topics/{name}/events`: the answer is a stream of server-sent events, save to `HEAD`. */
export function openEvents({ events }: { events: SseTransport }) {
  return (request: Request, server: Timeouts): Response => {
    const {
      last_n,
      client_id = Bun.randomUUIDv7(),
      queue,
      overflow,
    } = checked(readStreamQuery(new URL(request.url).searchParams));
    const since = lastSeen(request);
    if (request.method === "HEAD") return new Response(null, { headers: STREAM_HEADERS });
    // Who comes back asks for what it missed, not once more for what it first asked for.
    const asked = since === undefined ? { last_n, queue, overflow } : { since, queue, overflow };
    return events.open(request, server, topicOf(request), client_id, asked);
  };
}

/** The position that a client which lost its connection names (HTML §9.2.4). */
function lastSeen(request: Request): Position | undefined {
  const text = request.headers.get("last-event-id");
  if (text === null || text === "") return undefined;
  const position = parseEventId(text);
  if (position !== undefined) return position;
  throw new Refusal("BAD_REQUEST", "'Last-Event-ID' must be the id of an event of this server, EPOCH:SEQ");
}
