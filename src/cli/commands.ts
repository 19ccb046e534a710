import { bench } from "./bench.ts";
import type { Command } from "./command.ts";
import { completionCommand } from "./completion.ts";
import { health } from "./health.ts";
import { key } from "./key.ts";
import { pub } from "./pub.ts";
import { record } from "./record.ts";
import { replay } from "./replay.ts";
import { serverCommands, type ServerRuns } from "./server-commands.ts";
import { sub } from "./sub.ts";
import { token } from "./token.ts";
import { top } from "./top.ts";
import { topics } from "./topics.ts";

/** Every command, in the order of the help. The first is the one that need not be named. */
export function allCommands(runs: ServerRuns): readonly Command[] {
  const [serve, ...others] = serverCommands(runs);
  const completion = completionCommand(() => all);
  const all: readonly Command[] = [
    ...(serve === undefined ? [] : [serve]),
    ...[sub, pub, topics, record, replay, top, bench, health, key, token, completion],
    ...others,
  ];
  return all;
}
