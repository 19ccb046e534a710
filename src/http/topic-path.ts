import { ProtocolError, topicNotFound } from "../protocol/codes.ts";
import { isName } from "../protocol/names.ts";

/** A request as Bun's router hands it over. `params.name` is the topic's name in the path, percent-decoded. */
export type RoutedRequest = Request & { readonly params?: { readonly name?: string } };

/** What the router puts in place of bytes that are not UTF-8. */
const REPLACEMENT = "\uFFFD";

/**
 * The topic that a path under `/topics/` names (RFC 3986 §2.1).
 *
 * @throws {ProtocolError} if its encoding is malformed, or no topic can have that name
 */
export function topicOf({ params, url }: RoutedRequest): string {
  const name = params?.name ?? "";
  if (name.includes(REPLACEMENT) && name !== spelledOut(url)) {
    throw new ProtocolError("BAD_REQUEST", "The topic's name in the path is not valid percent-encoding of UTF-8");
  }
  if (!isName(name)) throw topicNotFound(name);
  return name;
}

/** The path that was asked for (RFC 9112 §3.2). It does not depend on `Host`, which may be missing or invalid. */
export function pathOf({ url }: { url: string }): string {
  return targetOf(url).split("?")[0] ?? "";
}

/** The query of a request; see {@link pathOf}. */
export function queryOf({ url }: { url: string }): URLSearchParams {
  const target = targetOf(url);
  const mark = target.indexOf("?");
  return new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1));
}

function targetOf(url: string): string {
  return url.replace(/^[a-z]+:\/\/[^/?]*/i, "").split("#")[0] ?? "";
}

/** The name as the URL itself spells it; undefined if malformed. A valid name may have {@link REPLACEMENT} in it. */
function spelledOut(url: string): string | undefined {
  const encoded = /^\/topics\/([^/]*)/.exec(pathOf({ url }))?.[1] ?? "";
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
