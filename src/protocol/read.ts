import { z } from "zod";

/** The result of reading outside input: its content, or what is wrong with it. */
export type Read<T> = { ok: true; content: T } | { ok: false; problem: string };

/** Reads a value by a schema. Names only the first problem, in the order of the schema's fields. */
export function read<T>(schema: z.ZodType<T>, value: unknown): Read<T> {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, content: result.data };
  return { ok: false, problem: result.error.issues[0]?.message ?? "Invalid" };
}

/**
 * Makes a function that reads the elements of `messages`. It stops at the first bad one, so that a hundred thousand bad
 * ones cost one description.
 */
export function batchReader<T>(schemaOf: (name: string) => z.ZodType<T>): (elements: readonly unknown[]) => Read<T[]> {
  const schema = z.compile(schemaOf("messages[]"), { strict: true });
  return (elements) => {
    const content: T[] = [];
    for (const [index, element] of elements.entries()) {
      const one = read(schema, element);
      if (!one.ok) return read(z.array(schemaOf(`messages[${index}]`)), [element]);
      content.push(one.content);
    }
    return { ok: true, content };
  };
}

/** `JSON.parse` as a result instead of an exception. */
export function parseJson(text: string): Read<unknown> {
  try {
    return { ok: true, content: JSON.parse(text) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^JSON Parse error: /, "") : String(cause);
    return { ok: false, problem: `Not valid JSON: ${shorten(reason)}` };
  }
}

export function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

const MAX_ECHO = 64;

/** Cuts a client's own words for an error text, so that the answer to a bad frame is never large. */
export function shorten(words: string): string {
  return words.length <= MAX_ECHO ? words : `${words.slice(0, MAX_ECHO).toWellFormed()}…`;
}
