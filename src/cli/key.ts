import { makeKey } from "../auth/keys.ts";
import { command } from "./command.ts";
import { EXIT } from "./exit.ts";
import { PERMISSIONS, permissionsOf } from "./permission-flags.ts";

export const key = command({
  name: "key",
  summary: "make an API key",
  notes: ["Prints a new key once, and its entry for API_KEYS_FILE, which has only its hash."],
  args: [{ name: "NAME" }],
  needs: "one name",
  flags: PERMISSIONS,
  example: "key billing --publish 'orders.*'",
  exits: ["done", "usage"],
  async run({ args: [name = ""], flags }, context) {
    const made = makeKey(name, permissionsOf(flags));
    await context.print(`${made.key}\n\n${JSON.stringify({ keys: [made.entry] }, null, 2)}`);
    return EXIT.done;
  },
});
