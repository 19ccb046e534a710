import { makeKey } from "../auth/keys.ts";
import { UsageError } from "../config.ts";
import { readPermissionFlags } from "./permission-flags.ts";

export const KEY_HELP = `Usage: pubsub key NAME [--publish PATTERN]... [--subscribe PATTERN]... [--admin]

Prints a new key once, and its entry for API_KEYS_FILE. A pattern is a topic, or a prefix that ends in '*'.

Example: pubsub key billing --publish 'orders.*'`;

/**
 * `pubsub key`: what it prints.
 *
 * @throws {UsageError} where the command line is not as the help says
 */
export function keyCommand(args: readonly string[]): string {
  const { positionals, permissions } = readPermissionFlags(args);
  const [name, extra] = positionals;
  if (name === undefined || extra !== undefined) throw new UsageError(`'key' needs one name\n\n${KEY_HELP}`);
  const { key, entry } = makeKey(name, permissions);
  return `${key}\n\n${JSON.stringify({ keys: [entry] }, null, 2)}`;
}
