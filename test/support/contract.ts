import { z } from "zod";
import { ANSWERS, problemDocument } from "../../src/protocol/sent-schema.ts";

/**
 * What our server sent against the schemas of `src/protocol/sent-schema.ts`. `keep-contract.ts` fails the test during which it
 * came.
 */
class Violations {
  #noted: string[] = [];

  note(what: string): void {
    this.#noted.push(what);
  }

  /** Returns those noted since the last call. */
  take(): string[] {
    return this.#noted.splice(0);
  }
}

export const violations = new Violations();

/**
 * Parses a text by its schema.
 *
 * @throws if it does not match. That is noted as a violation, too.
 */
export function checked<T>(what: string, schema: z.ZodType<T>, text: string): T {
  const { data, error } = schema.safeParse(parseJson(text));
  if (error === undefined) return data;
  const violation = `Not a ${what}: ${text.slice(0, 1000)}\n${z.prettifyError(error)}`;
  violations.note(violation);
  throw new Error(violation);
}

/** Returns undefined, which no schema accepts, for a text that is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const others = new Set<string>();
const proxies = new Set<string>();

function added(hosts: Set<string>, url: string): Disposable {
  const { host } = new URL(url);
  hosts.add(host);
  return { [Symbol.dispose]: () => void hosts.delete(host) };
}

/** Says that the server at `url` is a fake made by a test. Its answers are not checked until this is disposed of. */
export const declareForeign = (url: string) => added(others, url);

/** Says that a proxy listens at `url`. It may answer by itself that it does not reach our server. */
export const declareProxy = (url: string) => added(proxies, url);

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

/** Whether our server, or a proxy in front of it, listens at `url`. */
export function isOurs(url: string): boolean {
  const { hostname, host } = new URL(url);
  return LOOPBACK.includes(hostname) && !others.has(host);
}

/** The statuses of a proxy that does not reach the server (RFC 9110 §15.6.3 to §15.6.5). */
const UNREACHED = [502, 503, 504];

const PROBLEM = "application/problem+json";
const JSON_TYPE = /^application\/json\b/;

const expectations = Object.entries(ANSWERS).map(([route, schema]) => {
  const [method = "", pattern = ""] = route.split(" ");
  const path = new RegExp(`^${pattern.replace(":name", "[^/]+")}$`);
  return { method, path, schema: z.compile(schema, { strict: true }), status: route === "POST /topics" ? 201 : 200 };
});

/** The head of an answer over HTTP, and its request. */
export type HttpAnswer = { method: string; url: string; status: number; type: string | null };

/**
 * Checks the head of an answer, and notes a violation.
 *
 * @returns what checks the body, and notes a violation. Undefined if the body has no schema.
 */
export function checkHead({ method, url, status, type }: HttpAnswer): ((body: string) => void) | undefined {
  const about = `${method} ${url} was answered ${status}`;
  const { host, pathname } = new URL(url);
  const checkBy = (schema: z.ZodType) => (body: string) => {
    try {
      checked(`proper answer, where ${about}`, schema, body);
    } catch {
      // It is noted.
    }
  };
  if (type === PROBLEM)
    return checkBy(problemDocument.refine((problem) => problem.status === status, "another status"));
  if (status >= 400) {
    if (proxies.has(host) && UNREACHED.includes(status)) return undefined;
    violations.note(`${about} with ${type}, which is no problem document`);
    return undefined;
  }
  const isJson = JSON_TYPE.test(type ?? "");
  const expected = expectations.find((one) => one.method === method && one.path.test(pathname));
  if (expected === undefined) {
    if (isJson) violations.note(`${about} with JSON that has no schema`);
    return undefined;
  }
  if (!isJson || status !== expected.status)
    violations.note(`${about} with ${type}, in place of ${expected.status} with JSON`);
  return checkBy(expected.schema);
}
