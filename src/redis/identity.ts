import type { RedisClient } from "bun";

/** The oldest version that has what the scripts need. */
const LEAST_VERSION = 7;

/** Which server a connection leads to: another one after each restart. @throws if it is too old */
export async function identityOf(client: RedisClient): Promise<string> {
  const text = String(await client.send("INFO", ["server"]));
  const field = (name: string) => new RegExp(`^${name}:(\\S+)`, "m").exec(text)?.[1];
  const version = field("redis_version") ?? "unknown";
  if (Number.parseInt(version) < LEAST_VERSION)
    throw new Error(`its version is ${version}; it must be ${LEAST_VERSION} or later`);
  const run = field("run_id");
  if (run === undefined) throw new Error("it does not say its run_id (INFO server)");
  return run;
}
