import type { Command } from "./command.ts";
import { key } from "./key.ts";
import { serverCommands, type ServerRuns } from "./server-commands.ts";
import { token } from "./token.ts";

/** Every command, in the order of the help. The first is the one that need not be named. */
export function allCommands(runs: ServerRuns): readonly Command[] {
  const [serve, ...others] = serverCommands(runs);
  const all = [key, token, ...others];
  return serve === undefined ? all : [serve, ...all];
}
