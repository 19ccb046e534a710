import { z } from "zod";
import { ANSWERS, problemDocument } from "../../src/protocol/schema.ts";

/**
 * What a server of ours sends must be as `src/protocol/schema.ts` has it. Whatever is not is noted here, and fails the test
 * during which it came: `keep-contract.ts` sees to it.
 */
class Violations {
  #noted: string[] = [];

  note(what: string): void {
    this.#noted.push(what);
  }

  /** Those noted since the last call. */
  take(): string[] {
    return this.#noted.splice(0);
  }
}

export const violations = new Violations();

/** Reads a text that must be as the schema has it; notes and throws where it is not. */
export function checked<T>(what: string, schema: z.ZodType<T>, text: string): T {
  const { data, error } = schema.safeParse(parseJson(text));
  if (error === undefined) return data;
  const violation = `Not a ${what}: ${text.slice(0, 1000)}\n${z.prettifyError(error)}`;
  violations.note(violation);
  throw new Error(violation);
}

/** Undefined, which no schema takes, where it is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const others = new Set<string>();
const proxies = new Set<string>();

function entered(hosts: Set<string>, url: string): Disposable {
  const { host } = new URL(url);
  hosts.add(host);
  return { [Symbol.dispose]: () => void hosts.delete(host) };
}

/** Says of a server that it is none of ours, but one that a test has made up, until it is disposed of. */
export const isNotOurs = (url: string) => entered(others, url);

/** Says of a server that it is a proxy in front of ours, which tells by itself that it does not reach it. */
export const isProxy = (url: string) => entered(proxies, url);

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

/** Whether the contract holds for what is at `url`. */
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

/** An answer over HTTP, and what it answers. */
export type HttpAnswer = { method: string; url: string; status: number; type: string | null };

/**
 * Notes where an answer is not as the contract has it by its head. Returns what its body is to be, if anything.
 *
 * @returns called with the body, notes where that is not as it should be
 */
export function checkHead({ method, url, status, type }: HttpAnswer): ((body: string) => void) | undefined {
  const about = `${method} ${url} was answered ${status}`;
  const { host, pathname } = new URL(url);
  const ifRight = (schema: z.ZodType) => (body: string) => {
    try {
      checked(`proper answer, where ${about}`, schema, body);
    } catch {
      // It is noted.
    }
  };
  if (type === PROBLEM)
    return ifRight(problemDocument.refine((problem) => problem.status === status, "another status"));
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
  return ifRight(expected.schema);
}
