import type { Server } from "bun";
import type { Broker } from "../broker/broker.ts";
import type { Engine } from "../engine/engine.ts";
import type { PublishLimits } from "../ops/publish-limits.ts";
import type { Clock } from "../ops/clock.ts";
import { ProtocolError } from "../protocol/codes.ts";
import { shorten } from "../protocol/read.ts";
import { traceparentIn } from "../protocol/trace.ts";
import type { Closing } from "../transport/closing.ts";
import type { PeerRegistry } from "../transport/peer-registry.ts";
import type { SseTransport } from "../transport/sse.ts";
import type { SocketData } from "../transport/websocket.ts";
import { credentialOf } from "./access.ts";
import { clientScript } from "./client-script.ts";
import { dashboard } from "./dashboard.ts";
import { asyncApiDocument, openApiDocument } from "./documents.ts";
import { openEvents } from "./events.ts";
import { readSlowly, type LargeAnswers } from "./large-answers.ts";
import { health, livez, nodes, readyz } from "./health.ts";
import { publishMessages, readHistory } from "./messages.ts";
import { showMetrics, type Limits } from "./metrics.ts";
import { guarded, refuse, route, type Handler, type Methods, type RouteDeps } from "./route.ts";
import { pathOf } from "./topic-path.ts";
import { createTopic, deleteTopic, listTopics, showTopic, stats } from "./topics.ts";

export type HttpDeps = RouteDeps & {
  broker: Broker;
  engine: Engine;
  /** What this node is called. */
  nodeId: string;
  registry: PeerRegistry;
  closing: Closing;
  events: SseTransport;
  answers: LargeAnswers;
  clock: Clock;
  maxMessageBytes: number;
  startedAt: number;
  limits: Limits;
  maxFiles: number | undefined;
  publishLimits: PublishLimits;
  /** Whether there is a page at `/`. */
  dashboard: boolean;
};

type BunServer = Server<SocketData>;

/** Every path of the server, for `Bun.serve`. */
export function routes(deps: HttpDeps) {
  const on = (methods: Methods<BunServer>) => (pattern: string) => route(deps, pattern, methods);
  const always = (methods: Methods<BunServer>) => (pattern: string) => route(deps, pattern, methods, true);
  const open = (handle: Handler<BunServer>) => ({ needs: "nothing", handle }) as const;
  const anyone = (handle: Handler<BunServer>) => ({ needs: "credential", handle }) as const;
  const admin = (handle: Handler<BunServer>) => ({ needs: "admin", handle }) as const;
  const publisher = (handle: Handler<BunServer>) => ({ needs: "publish", handle }) as const;
  const subscriber = (handle: Handler<BunServer>) => ({ needs: "subscribe", handle }) as const;
  /** For answers that grow with the number of topics or subscribers. */
  const large =
    (handler: Handler<BunServer>): Handler<BunServer> =>
    (request, server, grant) => {
      readSlowly(request, server);
      return handler(request, server, grant);
    };
  const { page, script, style } = dashboard();
  const ofPage = (handle: Handler<BunServer>) =>
    deps.dashboard ? always({ GET: open(handle) }) : () => notFound(deps);
  const table = {
    "/": ofPage(page),
    "/dashboard.js": ofPage(script),
    "/dashboard.css": ofPage(style),
    // A browser can set no header here: it authenticates with its first frame.
    "/ws": on({ GET: { ...open(upgrade(deps)), counts: true } }),
    "/topics": on({ GET: anyone(large(listTopics(deps))), POST: admin(createTopic(deps)) }),
    "/topics/:name": on({ GET: admin(large(showTopic(deps))), DELETE: admin(deleteTopic(deps)) }),
    "/topics/:name/messages": on({ GET: subscriber(readHistory(deps)), POST: publisher(publishMessages(deps)) }),
    "/topics/:name/events": always({ GET: subscriber(openEvents(deps)) }),
    "/health": always({ GET: anyone(health(deps)) }),
    "/stats": always({ GET: admin(large(stats(deps))) }),
    "/nodes": always({ GET: admin(nodes(deps)) }),
    "/metrics": always({ GET: admin(showMetrics(deps)) }),
    // A page loads it as a module, with which no header can go.
    "/client.js": always({ GET: open(clientScript()) }),
    "/openapi.json": always({ GET: open(openApiDocument()) }),
    "/asyncapi.json": always({ GET: open(asyncApiDocument()) }),
    "/livez": always({ GET: open(livez) }),
    "/readyz": always({ GET: open(readyz(deps)) }),
  };
  return Object.fromEntries(Object.entries(table).map(([path, handler]) => [path, handler(path)]));
}

/** Any other path. */
export function notFound(deps: RouteDeps) {
  const handle: Handler<BunServer> = (request) => {
    const detail = `There is nothing at ${shorten(pathOf(request))}`;
    return refuse(deps, new ProtocolError("NOT_FOUND", detail));
  };
  const handler = guarded<BunServer>(deps, "other", false, () => ({ needs: "credential", handle }));
  return async (request: Request, server: BunServer): Promise<Response> =>
    (await handler(request, server)) ?? new Response(null, { status: 500 });
}

/** `GET /ws` */
function upgrade(deps: HttpDeps) {
  return async (request: Request, server: BunServer): Promise<Response | undefined> => {
    // RFC 6455 §4.2.1 demands the option `upgrade`. Bun does not check it, and a proxy may have removed it.
    const asked = /(^|,)\s*upgrade\s*(,|$)/i.test(request.headers.get("connection") ?? "");
    // Bun accepts the first subprotocol that a client offers, but this server speaks none (RFC 6455 §4.2.2).
    request.headers.delete("sec-websocket-protocol");
    const port = server.requestIP(request)?.port;
    const address = deps.addressOf(request, server);
    const credential = deps.auth.required ? credentialOf(request) : undefined;
    const grant = credential && (await deps.auth.check(credential));
    const data = { port, address, traceparent: traceparentIn(request.headers), grant, peer: undefined };
    if (asked && server.upgrade(request, { data })) return undefined;
    const detail = "This path speaks WebSocket (RFC 6455): connect to it with a WebSocket client";
    const error = new ProtocolError("UPGRADE_REQUIRED", detail);
    return refuse(deps, error, { upgrade: "websocket", connection: "upgrade" });
  };
}
