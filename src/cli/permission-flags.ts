import { parseArgs, type ParseArgsConfig } from "node:util";
import type { Permissions } from "../auth/permissions.ts";
import { UsageError } from "../config.ts";

/** The flags that say what a credential allows, and the command's own. */
export type PermissionFlags = { positionals: string[]; permissions: Permissions; own: Record<string, string> };

/**
 * Reads the command line of a command that makes a credential.
 *
 * @param own the command's further flags, each with a value
 * @throws {UsageError} that names what it does not know
 */
export function readPermissionFlags(args: readonly string[], own: readonly string[] = []): PermissionFlags {
  const options: NonNullable<ParseArgsConfig["options"]> = {
    publish: { type: "string", multiple: true },
    subscribe: { type: "string", multiple: true },
    admin: { type: "boolean" },
  };
  for (const flag of own) options[flag] = { type: "string" };
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const patterns = (flag: string) => (Array.isArray(values[flag]) ? values[flag].map(String) : []);
    const permissions = {
      publish: patterns("publish"),
      subscribe: patterns("subscribe"),
      admin: values["admin"] === true,
    };
    const given = own.flatMap((flag) => (typeof values[flag] === "string" ? [[flag, values[flag]] as const] : []));
    return { positionals, permissions, own: Object.fromEntries(given) };
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause));
  }
}
