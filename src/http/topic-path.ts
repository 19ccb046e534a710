import { Refusal } from "../protocol/codes.ts";

/**
 * The topic that a path under `/topics/` names, percent-decoded (RFC 3986 §2.1).
 *
 * From the URL itself: what Bun's router makes of a malformed name is another name.
 *
 * @throws {Refusal} where the encoding is malformed
 */
export function topicOf(request: Request): string {
  const encoded = /^[^:]+:\/\/[^/]*\/topics\/([^/?#]*)/.exec(request.url)?.[1] ?? "";
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw new Refusal("BAD_REQUEST", `The topic's name in the path is not valid percent-encoding: '${encoded}'`);
  }
}
