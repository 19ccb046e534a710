import { ERRORS, ProtocolError } from "../protocol/codes.ts";

/** A problem document (RFC 9457 §3) of an error, with our code as an extension member (§3.2). */
export function problem({ code, message: detail }: ProtocolError, headers: Record<string, string> = {}): Response {
  // A code without a status answers no request. If one does all the same, the fault is ours.
  const { status = ERRORS.INTERNAL.status, title } = ERRORS[code];
  return Response.json(
    { type: "about:blank", status, title, detail, code },
    { status, headers: { ...headers, "content-type": "application/problem+json" } },
  );
}
