import { settings } from "../config.ts";
import type { Command, Flag } from "./command.ts";

/** What runs a server, and what looks after one. They are given: they know all of the server, and this folder does not. */
export type ServerRuns = { serve: Command["run"]; healthcheck: Command["run"] };

/** The flags of the server are its settings. */
const flags: readonly Flag[] = settings.map(({ key, flag, help, default: fallback, range, bare, variable }) => ({
  key,
  name: flag,
  value: bare ? undefined : range === undefined ? "TEXT" : "N",
  help,
  bounds: range === undefined ? fallback : `${range}; ${fallback}`,
  variable,
  choices: bare ? ["true", "false"] : [],
  isMany: false,
}));

export function serverCommands({ serve, healthcheck }: ServerRuns): Command[] {
  return [
    {
      name: "serve",
      summary: "run the server; what is done without a command",
      notes: ["Each flag is also an environment variable, --max-history as MAX_HISTORY; the flag counts first."],
      args: [],
      needs: undefined,
      flags,
      example: "serve --port 8000 --topics orders,news",
      exits: ["done", "failed", "usage"],
      run: serve,
    },
    {
      name: "healthcheck",
      summary: "exit 0 if the server on --port of this machine is ready, 1 if not",
      notes: [
        "For a container or a service manager. Without --port it asks the server that runs from this very executable. It knows the flags and variables of serve.",
      ],
      args: [],
      needs: undefined,
      flags,
      example: "healthcheck --port 8000",
      exits: ["done", "failed", "usage"],
      run: healthcheck,
    },
  ];
}
