import type { ProtocolError } from "../protocol/codes.ts";
import { problemOf } from "../protocol/encode.ts";

const HEADERS = { "content-type": "application/problem+json", "cache-control": "no-store" };

/** Answers with the problem document of an error. */
export function problem(error: ProtocolError, headers: Record<string, string> = {}): Response {
  const document = problemOf(error);
  const { status } = document;
  return Response.json(document, { status, headers: { ...headers, ...HEADERS } });
}
