import type { Logger } from "../ops/logger.ts";
import type { Metrics } from "../ops/metrics.ts";
import { Refusal } from "../protocol/codes.ts";
import { problem } from "./problem.ts";
import type { RoutedRequest } from "./topic-path.ts";

type Answer = Response | undefined;

/** Answers one request; undefined where it became a WebSocket. A thrown `Refusal` is answered as its problem document. */
export type Handler<Server> = (request: RoutedRequest, server: Server) => Answer | Promise<Answer>;

export type RouteDeps = {
  mayConnect: (request: Request) => boolean;
  stopping: () => boolean;
  log: Logger;
  metrics: Metrics;
};

/** What a path answers, by method. `HEAD` comes with `GET`. */
export type Methods<Server> = { readonly [method: string]: Handler<Server> };

/**
 * One path: picks the handler by method.
 *
 * @param whileStopping whether it still answers while the server shuts down
 */
export function route<Server>(deps: RouteDeps, methods: Methods<Server>, whileStopping = false): Handler<Server> {
  const table = new Map(Object.entries(methods));
  const get = table.get("GET");
  if (get !== undefined) table.set("HEAD", get);
  const allow = [...table.keys(), "OPTIONS"].join(", ");

  return guarded(deps, whileStopping, (request, server) => {
    const handler = table.get(request.method);
    if (handler !== undefined) return handler(request, server);
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
    const detail = `${request.method} is not for this path; it takes ${allow}`;
    return refuse(deps, new Refusal("BAD_REQUEST", detail, { status: 405 }), { allow });
  });
}

/** What every path has in common: who may ask, and that all that can go wrong is a problem document. */
export function guarded<Server>(deps: RouteDeps, whileStopping: boolean, handler: Handler<Server>): Handler<Server> {
  return async (request, server) => {
    const allowed = deps.mayConnect(request);
    try {
      if (!allowed) throw new Refusal("UNAUTHORIZED", `ALLOWED_ORIGINS does not include '${originOf(request)}'`);
      if (deps.stopping() && !whileStopping) throw new Refusal("SHUTTING_DOWN", "The server is shutting down");
      return withCors(request, await handler(request, server));
    } catch (cause) {
      const refusal = cause instanceof Refusal ? cause : fault(deps.log, request, cause);
      const response = refuse(deps, refusal);
      return allowed ? withCors(request, response) : response;
    }
  };
}

/** Answers with a problem document, and counts it. */
export function refuse({ metrics }: RouteDeps, refusal: Refusal, headers?: Record<string, string>): Response {
  metrics.refused(refusal.code);
  return problem(refusal, headers);
}

function fault(log: Logger, { method, url }: Request, cause: unknown): Refusal {
  log.error("cannot answer a request", { method, url, cause });
  return new Refusal("INTERNAL", "Internal error; the server's log has its cause");
}

/** Lets an allowed page of another origin read the answer (Fetch standard, CORS protocol). */
function withCors(request: Request, response: Answer): Answer {
  const origin = originOf(request);
  if (origin === null || response === undefined) return response;
  response.headers.set("access-control-allow-origin", origin);
  response.headers.set("access-control-allow-methods", "GET, HEAD, POST, DELETE");
  const asked = request.headers.get("access-control-request-headers");
  response.headers.set("access-control-allow-headers", asked ?? "content-type");
  response.headers.append("vary", "Origin");
  return response;
}

function originOf(request: Request): string | null {
  return request.headers.get("origin");
}
