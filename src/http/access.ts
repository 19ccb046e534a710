import type { Authenticator, Credential } from "../auth/authenticator.ts";
import { may, type Action, type Grant } from "../auth/permissions.ts";
import { forbidden, ProtocolError, type AnswerCode } from "../protocol/codes.ts";
import { pathOf, queryOf, topicOf, type RoutedRequest } from "./topic-path.ts";

/** Who may ask: everyone, whoever has a credential, or whoever may do this. */
export type Needs = "nothing" | "credential" | Action;

/** Where an `EventSource`, which can set no header, puts its token, and the only paths that take one there. */
const TOKEN_PARAMETER = "access_token";
const STREAMS = /^\/topics\/[^/]+\/events$/;

/** The credential of a request (RFC 6750 §2), if it has one. */
export function credentialOf(request: RoutedRequest): Credential | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const header = bearer ?? request.headers.get("x-api-key") ?? undefined;
  if (header !== undefined) return { text: header, from: "header" };
  const isStream = STREAMS.test(pathOf(request)) && ["GET", "HEAD"].includes(request.method);
  const query = isStream ? queryOf(request).get(TOKEN_PARAMETER) : null;
  return query === null ? undefined : { text: query, from: "query" };
}

/**
 * Checks that a request may be answered. Returns what its credential allows; undefined where none is asked for.
 *
 * @throws {ProtocolError} `UNAUTHORIZED`, `FORBIDDEN`
 */
export async function checkAccess(
  auth: Authenticator,
  request: RoutedRequest,
  needs: Needs,
): Promise<Grant | undefined> {
  if (!auth.required || needs === "nothing") return undefined;
  const grant = await auth.check(credentialOf(request));
  if (needs === "credential") return grant;
  const topic = needs === "admin" ? undefined : topicOf(request);
  if (!may(grant, needs, topic)) throw forbidden(needs, topic);
  return grant;
}

/**
 * Checks once more, after something was waited for, that a grant still allows an action.
 *
 * @throws {ProtocolError} `UNAUTHORIZED`, `FORBIDDEN`
 */
export function checkStill(auth: Authenticator, grant: Grant | undefined, action: Action, topic?: string): void {
  if (!auth.required) return;
  const current = grant && auth.current(grant);
  if (current === undefined) throw new ProtocolError("UNAUTHORIZED", "The credential has ended meanwhile");
  if (!may(current, action, topic)) throw forbidden(action, topic);
}

/** How a client without the right credential is told what to show (RFC 6750 §3). */
export function challenge(request: RoutedRequest, code: AnswerCode): Record<string, string> {
  const isShown = credentialOf(request) !== undefined;
  if (code === "UNAUTHORIZED") {
    return { "www-authenticate": `Bearer realm="pubsub"${isShown ? `, error="invalid_token"` : ""}` };
  }
  if (code !== "FORBIDDEN" || !isShown) return {};
  return { "www-authenticate": `Bearer realm="pubsub", error="insufficient_scope"` };
}
