import type { BunRequest, Server } from "bun";
import type { Logger } from "../ops/logger.ts";
import { Refusal } from "../protocol/codes.ts";
import { problem } from "./problem.ts";

type Answer = Response | undefined;

/** Answers one request; undefined where it became a WebSocket. A thrown `Refusal` is answered as its problem document. */
export type Handler<Path extends string, Data> = (
  request: BunRequest<Path>,
  server: Server<Data>,
) => Answer | Promise<Answer>;

export type RouteDeps = { mayConnect: (request: Request) => boolean; stopping: () => boolean; log: Logger };

/** What a route answers, by method. `HEAD` comes with `GET`. */
export type Methods<Path extends string, Data> = { [method: string]: Handler<Path, Data> };

/**
 * One path: picks the handler by method, and turns all that can go wrong into a problem document.
 *
 * @param whileStopping whether it still answers while the server shuts down
 */
export function route<Path extends string, Data>(
  deps: RouteDeps,
  methods: Methods<Path, Data>,
  whileStopping = false,
): Handler<Path, Data> {
  const table = new Map(Object.entries(methods));
  const get = table.get("GET");
  if (get !== undefined) table.set("HEAD", get);
  const allow = [...table.keys(), "OPTIONS"].join(", ");

  return async (request, server) => {
    const cors = corsHeaders(request, deps);
    try {
      if (!deps.mayConnect(request)) {
        const origin = request.headers.get("origin");
        throw new Refusal("UNAUTHORIZED", `ALLOWED_ORIGINS does not include '${origin}'`);
      }
      if (deps.stopping() && !whileStopping) throw new Refusal("SHUTTING_DOWN", "The server is shutting down");
      if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: { ...cors, allow } });
      const handler = table.get(request.method);
      if (handler === undefined) {
        const detail = `${request.method} is not for this path; it takes ${allow}`;
        return problem(new Refusal("BAD_REQUEST", detail, { status: 405 }), { ...cors, allow });
      }
      const response = await handler(request, server);
      for (const [name, value] of Object.entries(cors)) response?.headers.set(name, value);
      return response;
    } catch (cause) {
      if (cause instanceof Refusal) return problem(cause, cors);
      deps.log.error("cannot answer a request", { method: request.method, url: request.url, cause });
      return problem(new Refusal("INTERNAL", "Internal error; the server's log has its cause"), cors);
    }
  };
}

/** Lets an allowed page of another origin read the answer (Fetch standard, CORS protocol). */
function corsHeaders(request: Request, { mayConnect }: RouteDeps): Record<string, string> {
  const origin = request.headers.get("origin");
  if (origin === null || !mayConnect(request)) return {};
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-methods": "GET, HEAD, POST, DELETE",
    "access-control-allow-headers": request.headers.get("access-control-request-headers") ?? "content-type",
    vary: "Origin",
  };
}
