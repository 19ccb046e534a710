import { signToken, type TokenRequest } from "../auth/tokens.ts";
import { readFileSync } from "node:fs";
import { UsageError } from "../config.ts";
import { readPermissionFlags } from "./permission-flags.ts";

export const TOKEN_HELP = `Usage: pubsub token --sub NAME [--ttl 1h] [--publish PATTERN]... [--subscribe PATTERN]... [--admin]

Prints a token for those who try it out, signed with the secret in JWT_SECRET_FILE (or --jwt-secret-file), for JWT_ISSUER
and JWT_AUDIENCE where they are set. --ttl is a number with s, m, h or d.

Example: pubsub token --sub alice --subscribe 'users.alice.*' --ttl 1h`;

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/**
 * `pubsub token`: what it prints.
 *
 * @throws {UsageError} where the command line is not as the help says, or the secret cannot be used
 */
export async function tokenCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { positionals, permissions, own } = readPermissionFlags(args, ["sub", "ttl", "jwt-secret-file"]);
  const { sub, ttl = "1h" } = own;
  if (positionals.length > 0) throw new UsageError(`'token' takes no '${positionals[0]}'\n\n${TOKEN_HELP}`);
  if (sub === undefined || sub === "") throw new UsageError(`'token' needs --sub\n\n${TOKEN_HELP}`);
  const path = own["jwt-secret-file"] ?? env["JWT_SECRET_FILE"];
  if (path === undefined || path === "") throw new UsageError(`'token' needs JWT_SECRET_FILE\n\n${TOKEN_HELP}`);
  const request: TokenRequest = {
    sub,
    permissions,
    ttlSec: secondsOf(ttl),
    issuer: env["JWT_ISSUER"] || undefined,
    audience: env["JWT_AUDIENCE"] || undefined,
  };
  try {
    return await signToken(readFileSync(path), request);
  } catch (cause) {
    throw new UsageError(`JWT_SECRET_FILE cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function secondsOf(ttl: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(ttl) ?? [];
  if (unit === "s" || unit === "m" || unit === "h" || unit === "d") return Number(count) * SECONDS[unit];
  throw new UsageError(`--ttl must be a number with s, m, h or d, such as 1h, got '${ttl}'`);
}
