/** The kinds of settings. A value comes as text. The text of a problem continues after the name of its setting. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { z } from "zod";
import { isName, MAX_NAME_BYTES } from "./protocol/names.ts";

/** A whole number; `described` is the default as users read it. */
export function integer(fallback: number, min: number, max: number, help: string, described = String(fallback)) {
  return wholeNumber(min, max)
    .prefault(String(fallback))
    .meta({ help, default: described, range: `${min} to ${max}` });
}

/** A whole number, which must be there. */
export function wholeNumber(min: number, max: number) {
  const problem = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, problem)
    .transform(Number)
    .pipe(z.number().min(min, problem).max(max, problem));
}

export function boolean(fallback: boolean, help: string) {
  return z
    .stringbool({ error: "must be true or false" })
    .prefault(String(fallback))
    .meta({ help, default: String(fallback), bare: true });
}

export function choice<const T extends readonly [string, ...string[]]>(values: T, fallback: T[number], help: string) {
  return z
    .enum(values, `must be one of ${values.join(", ")}`)
    .prefault(fallback)
    .meta({ help: `${help}: ${values.join(", ")}`, default: fallback });
}

/** `scheme://host[:port]` of a page, or of an app that has its own scheme, such as `capacitor://localhost`. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/i;

function partsOf(text: string): string[] {
  return text.split(",").map((part) => part.trim());
}

const topicNames = z.array(
  z.string().refine(isName, {
    error: ({ input }) =>
      `must be names of topics, 1 to ${MAX_NAME_BYTES} UTF-8 bytes without control characters: '${input}' is none`,
  }),
);

/** What is in a file; a problem if it cannot be read. */
function contentOf(path: string, context: z.RefinementCtx): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    context.addIssue(`must be a file that can be read: ${cause instanceof Error ? cause.message : String(cause)}`);
    return z.NEVER;
  }
}

/** The lines of a text that are not empty. */
function linesOf(content: string): string[] {
  return content.split(/\r?\n/).filter((line) => line !== "");
}

/** A file, which is read at once. */
export function file(help: string) {
  return z.string().transform(contentOf).optional().meta({ help, default: "none" });
}

/** Text, such as the path of a file. */
export function text(help: string) {
  return z.string().optional().meta({ help, default: "none" });
}

/** Names of topics, separated by commas. */
export function topicList(help: string) {
  return z.string().transform(partsOf).pipe(topicNames).optional().meta({ help, default: "none" });
}

/** A file with names of topics, one on each line. */
export function topicFile(help: string) {
  return z.string().transform(contentOf).transform(linesOf).pipe(topicNames).optional().meta({ help, default: "none" });
}

/** Addresses and subnets, separated by commas. */
export function addresses(help: string) {
  return z
    .string()
    .transform(partsOf)
    .refine((all) => all.every(isSubnet), { error: "must be IP addresses or subnets such as 10.0.0.0/8,::1" })
    .optional()
    .meta({ help, default: "none" });
}

function isSubnet(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const most = { 4: 32, 6: 128 }[isIP(address)];
  if (most === undefined || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most);
}

/** Origins of pages, separated by commas. */
export function origins(help: string) {
  return z
    .string()
    .transform(partsOf)
    .refine((all) => all.every((origin) => origin === "*" || ORIGIN.test(origin)), {
      error: "must be * or a list of origins such as https://example.com,capacitor://localhost, without a path",
    })
    .optional()
    .meta({ help, default: "none" });
}

/** Where messages get their order: in this process, or in a Redis. Its password is never shown. */
export function engine(help: string) {
  return z
    .string()
    .refine((value) => value === "memory" || isRedisUrl(value), {
      error: "must be memory, or redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or the same with rediss:// for TLS",
    })
    .prefault("memory")
    .meta({ help, default: "memory" });
}

function isRedisUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(value);
  if (![username, password].every(isPercentEncoded)) return false;
  return /^rediss?:$/.test(protocol) && hostname !== "" && /^(\/\d*)?$/.test(pathname) && search + hash === "";
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
