import { ERRORS, Refusal } from "../protocol/codes.ts";

/** A problem document (RFC 9457 §3) of a refusal, with our code as an extension member (§3.2). */
export function problem(refusal: Refusal, headers: Record<string, string> = {}): Response {
  const { code, status, message: detail } = refusal;
  const title = STATUS_TITLES[status] ?? ERRORS[code].title;
  return Response.json(
    { type: "about:blank", status, title, detail, code },
    { status, headers: { ...headers, "content-type": "application/problem+json" } },
  );
}

/** Titles of the statuses that several codes share or that are not their code's own (RFC 9110 §15). */
const STATUS_TITLES: Record<number, string> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  410: "Gone",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  426: "Upgrade Required",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};
