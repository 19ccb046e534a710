import { readFileSync } from "node:fs";
import { signToken, type TokenRequest } from "../auth/tokens.ts";
import { UsageError } from "../config.ts";
import { command } from "./command.ts";
import { EXIT } from "./exit.ts";
import { word } from "./flag-kinds.ts";
import { PERMISSIONS, permissionsOf } from "./permission-flags.ts";

export const token = command({
  name: "token",
  summary: "make a token to try out",
  notes: ["Prints a token that is signed with a secret, for JWT_ISSUER and JWT_AUDIENCE where they are set."],
  flags: {
    sub: word("NAME", "whom it is for"),
    ttl: word("TIME", "how long it holds: a number with s, m, h or d", { default: "1h" }),
    ...PERMISSIONS,
    jwtSecretFile: word("FILE", "file with the secret, 32 bytes or more", { variable: "JWT_SECRET_FILE" }),
  },
  example: "token --sub alice --subscribe 'users.alice.*' --ttl 1h",
  exits: ["done", "usage"],
  async run({ flags }, context) {
    const { sub, ttl = "1h", jwtSecretFile: path } = flags;
    if (sub === undefined) throw new UsageError("'token' needs --sub");
    if (path === undefined) throw new UsageError("'token' needs JWT_SECRET_FILE");
    const request: TokenRequest = {
      sub,
      permissions: permissionsOf(flags),
      ttlSec: secondsOf(ttl),
      issuer: context.env["JWT_ISSUER"] || undefined,
      audience: context.env["JWT_AUDIENCE"] || undefined,
    };
    await context.print(await signed(path, request));
    return EXIT.done;
  },
});

/** @throws {UsageError} if the secret cannot be used */
async function signed(path: string, request: TokenRequest): Promise<string> {
  try {
    return await signToken(readFileSync(path), request);
  } catch (cause) {
    throw new UsageError(`JWT_SECRET_FILE cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

function secondsOf(ttl: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(ttl) ?? [];
  if (unit === "s" || unit === "m" || unit === "h" || unit === "d") return Number(count) * SECONDS[unit];
  throw new UsageError(`--ttl must be a number with s, m, h or d, such as 1h, got '${ttl}'`);
}
