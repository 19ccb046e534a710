import { expect, test } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { blocksOf, ROOT } from "../support/pages.ts";
import { tempFolder } from "../support/proxies.ts";
import { python } from "../support/python.ts";
import { startGuardedServer } from "../support/server.ts";

const SECRET = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

/** The one block of the page in a language, which makes `token`. */
function recipe(language: string): string {
  const [block, another] = blocksOf("src/ops/README.md").filter((each) => each.language === language);
  if (block === undefined || another !== undefined) throw new Error(`The page must have one ${language} block`);
  return block.text;
}

/** Whether Python can make tokens. */
const hasJwt = python !== undefined && Bun.spawnSync([python, "-c", "import jwt"]).exitCode === 0;

test.each([
  ["js", [process.execPath, "recipe.mjs"], "recipe.mjs", "console.log(token);", false],
  ["js", ["node", "recipe.mjs"], "recipe.mjs", "console.log(token);", Bun.which("node") === null],
  ["python", [python ?? "python3", "recipe.py"], "recipe.py", "print(token)", !hasJwt],
] as const)(
  "the %s of the recipe, run by %p, makes a token that the server takes",
  async (language, command, file, print, skip) => {
    if (skip) return console.log(`Left out: ${command[0]} cannot run it here`);
    using folder = tempFolder();
    symlinkSync(join(ROOT, "node_modules"), join(folder.path, "node_modules"));
    writeFileSync(join(folder.path, "jwt-secret"), SECRET);
    writeFileSync(join(folder.path, file), `${recipe(language)}\n${print}\n`);
    const { stdout, stderr } = Bun.spawnSync([...command], { cwd: folder.path });
    expect(stderr.toString()).toBe("");
    const token = stdout.toString().trim();
    await using server = await startGuardedServer({
      JWT_SECRET_FILE: join(folder.path, "jwt-secret"),
      TOPICS: "users.alice.inbox,users.bob.inbox",
    });
    const statusOf = async (topic: string) => {
      const headers = { authorization: `Bearer ${token}` };
      return (await fetch(`${server.url}/topics/${topic}/messages`, { headers })).status;
    };
    expect([await statusOf("users.alice.inbox"), await statusOf("users.bob.inbox")]).toEqual([200, 403]);
  },
);
