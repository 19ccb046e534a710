import type { Authenticator } from "../auth/authenticator.ts";
import type { Grant } from "../auth/permissions.ts";
import type { Fields, Logger } from "../ops/logger.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { Throttle } from "../ops/throttle.ts";
import { noteRefusal } from "../ops/refusals.ts";
import { ProtocolError, shuttingDown } from "../protocol/codes.ts";
import { STREAM_HEADERS } from "../protocol/event-stream.ts";
import { shorten } from "../protocol/read.ts";
import { traceFacts, traceparentIn } from "../protocol/trace.ts";
import { challenge, checkAccess, type Needs } from "./access.ts";
import type { AddressOf, Locating } from "./client.ts";
import type { Allowed } from "./origin.ts";
import { problem } from "./problem.ts";
import type { RequestsUnderWay } from "./under-way.ts";
import { pathOf, type RoutedRequest } from "./topic-path.ts";

type Answer = Response | undefined;

/** Answers one request; undefined if it became a WebSocket. A thrown `ProtocolError` is answered as a problem document. */
export type Handler<Server> = (
  request: RoutedRequest,
  server: Server,
  grant: Grant | undefined,
) => Answer | Promise<Answer>;

/** A handler, and who may ask. */
export type Access<Server> = {
  readonly needs: Needs;
  /** Whether it counts as under way though it needs nothing. */
  readonly counts?: boolean;
  readonly handle: Handler<Server>;
};

export type RouteDeps = {
  underWay: RequestsUnderWay;
  auth: Authenticator;
  addressOf: AddressOf;
  mayConnect: (request: Request) => Allowed;
  stopping: () => boolean;
  log: Logger;
  throttle: Throttle;
  metrics: Metrics;
};

/** The handlers of a path, by method. `HEAD` comes with `GET`. */
export type Methods<Server> = { readonly [method: string]: Access<Server> };

/**
 * Handles one path: picks the handler by method.
 *
 * @param pattern the path as the router has it, for the metrics
 * @param whileStopping whether the path still answers while the server shuts down
 */
export function route<Server extends Locating>(
  deps: RouteDeps,
  pattern: string,
  methods: Methods<Server>,
  whileStopping = false,
) {
  const table = new Map(Object.entries(methods));
  const get = table.get("GET");
  if (get !== undefined) table.set("HEAD", get);
  const allow = [...table.keys(), "OPTIONS"].join(", ");

  // A page asks what it may do before it shows a credential.
  table.set("OPTIONS", { needs: "nothing", handle: () => new Response(null, { status: 204, headers: { allow } }) });
  const wrongMethod: Access<Server> = {
    needs: "credential",
    handle: ({ method }) => {
      const detail = `${method} is not for this path; it takes ${allow}`;
      return refuse(deps, new ProtocolError("METHOD_NOT_ALLOWED", detail), { allow });
    },
  };
  return guarded<Server>(deps, pattern, whileStopping, ({ method }) => table.get(method) ?? wrongMethod);
}

/** The status with which a WebSocket begins (RFC 6455 §4.2.2). */
const SWITCHING_PROTOCOLS = 101;

/** Does what every path needs: checks who may ask, and turns whatever goes wrong into a problem document. */
export function guarded<Server extends Locating>(
  deps: RouteDeps,
  pattern: string,
  whileStopping: boolean,
  pick: (request: RoutedRequest) => Access<Server>,
) {
  const { underWay, metrics } = deps;
  const answerTo = async (request: RoutedRequest, server: Server): Promise<Answer> => {
    let allowed: Allowed = "no";
    try {
      allowed = deps.mayConnect(request);
      if (allowed === "no") throw foreignPage(deps, request);
      if (deps.stopping() && !whileStopping) throw shuttingDown();
      checkFields(request);
      const { needs, counts = needs !== "nothing", handle } = pick(request);
      const answer = await underWay.run(counts, async () => {
        const grant = await checkAccess(deps.auth, request, needs);
        return handle(request, server, grant);
      });
      // What one may read is not for a cache to keep for others.
      if (deps.auth.required && needs !== "nothing") answer?.headers.set("cache-control", "no-store");
      return withCors(request, allowed, conditional(request, answer));
    } catch (cause) {
      const error = cause instanceof ProtocolError ? cause : fault(deps.log, request, cause);
      // A page that may not connect is not refused for its credential.
      const headers = allowed === "no" ? {} : challenge(request, error.code);
      return withCors(
        request,
        allowed,
        refuse(deps, error, headers, factsOf(request, deps.addressOf(request, server))),
      );
    }
  };
  return async (request: RoutedRequest, server: Server): Promise<Answer> => {
    const startedAt = performance.now();
    const answer = await answerTo(request, server);
    // A request that became a WebSocket has no answer.
    const seconds = (performance.now() - startedAt) / 1000;
    metrics.http.observe(request.method, pattern, answer?.status ?? SWITCHING_PROTOCOLS, seconds);
    return answer;
  };
}

/** Refuses more than one `Host` (RFC 9112 §3.2), and `If-Match` with an entity tag (RFC 9110 §13.1.1). */
function checkFields({ headers }: Request): void {
  if (headers.get("host")?.includes(",") === true)
    throw new ProtocolError("BAD_REQUEST", "There is more than one Host");
  const tags = headers.get("if-match");
  if (tags === null || tags.trim() === "*") return;
  throw new ProtocolError("PRECONDITION_FAILED", "'If-Match' names an entity tag, and nothing here has one");
}

/** Answers `If-None-Match: *` (RFC 9110 §13.1.2), and adds the `Date` that Bun leaves out of answers to `HEAD` (§6.6.1). */
function conditional({ method, headers }: Request, answer: Answer): Answer {
  const isRead = method === "GET" || method === "HEAD";
  if (method === "HEAD") answer?.headers.set("date", new Date().toUTCString());
  // A stream has begun by now, and somebody has to read it to its end.
  const isStream = answer?.headers.get("content-type")?.startsWith(STREAM_HEADERS["content-type"]) === true;
  const isThere = isRead && !isStream && answer?.status === 200 && headers.get("if-none-match")?.trim() === "*";
  return isThere ? new Response(null, { status: 304 }) : answer;
}

function foreignPage({ throttle }: RouteDeps, request: Request): ProtocolError {
  const origin = shorten(originOf(request) ?? `http://${request.headers.get("host") ?? ""}`);
  throttle.warn("a web page was refused: ALLOWED_ORIGINS does not include its origin", {
    origin,
    host: request.headers.get("host"),
    path: pathOf(request),
    ...traceOf(request),
  });
  return new ProtocolError("FORBIDDEN", `ALLOWED_ORIGINS does not include '${origin}'`);
}

/** Who asks, and in which trace, for the log. */
export function factsOf(request: Request, address: string | undefined): Fields {
  return { address, ...traceOf(request) };
}

function traceOf({ headers }: Request): Fields {
  return traceFacts(traceparentIn(headers));
}

/** What is refused here, in the log's words. */
export const REQUEST = "an HTTP request";

/** Answers with a problem document, and counts the error. */
export function refuse(
  deps: RouteDeps,
  error: ProtocolError,
  headers?: Record<string, string>,
  facts: Fields = {},
): Response {
  noteRefusal(deps, error, REQUEST, facts);
  return problem(error, headers);
}

function fault(log: Logger, request: Request, cause: unknown): ProtocolError {
  log.error("cannot answer a request", { method: request.method, path: pathOf(request), ...traceOf(request), cause });
  return new ProtocolError("INTERNAL", "Internal error; the server's log has its cause");
}

/** Lets an allowed page of another origin read the answer (Fetch standard, CORS protocol). */
function withCors(request: Request, allowed: Allowed, response: Answer): Answer {
  const origin = originOf(request);
  if (origin === null || response === undefined || allowed === "no") return response;
  response.headers.set("access-control-allow-origin", origin);
  // Not if `*` lets any page in: the credentials that a browser keeps for a proxy are not for every page to use.
  if (allowed === "with credentials") response.headers.set("access-control-allow-credentials", "true");
  response.headers.set("access-control-allow-methods", "GET, HEAD, POST, DELETE");
  const asked = request.headers.get("access-control-request-headers");
  response.headers.set("access-control-allow-headers", asked ?? "content-type");
  response.headers.append("vary", "Origin");
  return response;
}

function originOf(request: Request): string | null {
  return request.headers.get("origin");
}
