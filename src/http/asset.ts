export type Asset = {
  /** Tells one content from another. */
  readonly version: string;
  readonly answer: (request: Request) => Response;
};

/**
 * A text that every client may have, compressed for those that take it. Under an address that ends in `?v=VERSION` a
 * browser keeps it for good; under any other it asks each time whether it is still the same.
 */
export function asset(text: string, type: string, headers: Readonly<Record<string, string>> = {}): Asset {
  // Made once it is asked for: most servers that a test starts are not.
  let zipped: Uint8Array<ArrayBuffer> | undefined;
  const version = Bun.hash(text).toString(36);
  const answer = (request: Request): Response => {
    const isVersion = request.url.endsWith(`?v=${version}`);
    const isZipped = takesGzip(request.headers.get("accept-encoding") ?? "");
    // Each encoding is a representation of its own, with a tag of its own (RFC 9110 §8.8.3).
    const etag = isZipped ? `"${version}-gzip"` : `"${version}"`;
    const all = {
      ...headers,
      "content-type": type,
      "cache-control": isVersion ? "public, max-age=31536000, immutable" : "no-cache",
      etag,
      vary: "Accept-Encoding",
    };
    if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers: all });
    if (!isZipped) return new Response(text, { headers: all });
    zipped ??= Bun.gzipSync(text, { library: "libdeflate", level: 12 });
    return new Response(zipped, { headers: { ...all, "content-encoding": "gzip" } });
  };
  return { version, answer };
}

/** Whether a client takes gzip (RFC 9110 §12.5.3). A weight of 0 says no. */
function takesGzip(encodings: string): boolean {
  const own = encodings.split(",").find((one) => one.trim().toLowerCase().startsWith("gzip"));
  return own !== undefined && !/;\s*q=0(\.0*)?\s*$/i.test(own);
}
