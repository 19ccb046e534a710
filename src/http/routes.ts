import type { Server } from "bun";
import type { Broker } from "../broker/broker.ts";
import { Refusal } from "../protocol/codes.ts";
import type { SocketData } from "../transport/websocket.ts";
import { health, livez, readyz } from "./health.ts";
import { route, type Methods, type RouteDeps } from "./route.ts";
import { createTopic, deleteTopic, listTopics, stats } from "./topics.ts";
import { problem } from "./problem.ts";

export type HttpDeps = RouteDeps & { broker: Broker; maxMessageBytes: number; startedAt: number };

/** Every path of the server, for `Bun.serve`. */
export function routes(deps: HttpDeps) {
  const on = <Path extends string>(_path: Path, methods: Methods<Path, SocketData>, whileStopping = false) =>
    route<Path, SocketData>(deps, methods, whileStopping);
  return {
    "/ws": on("/ws", { GET: upgrade }),
    "/topics": on("/topics", { GET: listTopics(deps), POST: createTopic(deps) }),
    "/topics/:name": on("/topics/:name", { DELETE: deleteTopic(deps) }),
    "/health": on("/health", { GET: health(deps) }, true),
    "/stats": on("/stats", { GET: stats(deps) }, true),
    "/livez": on("/livez", { GET: livez }, true),
    "/readyz": on("/readyz", { GET: readyz(deps) }, true),
  };
}

/** `GET /ws` */
function upgrade(request: Request, server: Server<SocketData>): Response | undefined {
  if (server.upgrade(request, { data: {} })) return undefined;
  const detail = "This path speaks WebSocket (RFC 6455): connect to it with a WebSocket client";
  return problem(new Refusal("BAD_REQUEST", detail, { status: 426 }), { upgrade: "websocket", connection: "upgrade" });
}

/** Any other path. */
export function notFound(request: Request): Response {
  const { pathname } = new URL(request.url);
  return problem(new Refusal("BAD_REQUEST", `There is nothing at ${pathname}`, { status: 404 }));
}
