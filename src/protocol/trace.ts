/** The trace context that a request carries (W3C Trace Context, §3.2). */

/** `traceparent`: version, trace id, parent id, flags, in lower case hexadecimal digits. No id is all zeros. */
export const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

export function isTraceparent(text: string): boolean {
  return TRACEPARENT.test(text);
}

/** The `traceparent` of a header; undefined if there is none, or if it is malformed and so to be ignored (§4.3). */
export function traceparentIn(headers: Headers): string | undefined {
  const text = headers.get("traceparent");
  return text !== null && isTraceparent(text) ? text : undefined;
}

/** The trace id of a `traceparent`, as a field of the log; no field if there is no trace. */
export function traceFacts(traceparent: string | undefined): { trace_id?: string } {
  return traceparent === undefined ? {} : { trace_id: traceparent.slice(3, 35) };
}
