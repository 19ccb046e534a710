import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { completionScript } from "../../src/cli/completion.ts";
import { COMMANDS } from "../support/command-line.ts";
import { tempFolder } from "../support/proxies.ts";

/** What bash offers where the words end. */
async function offeredByBash(...words: string[]): Promise<string[]> {
  using folder = tempFolder();
  await Bun.write(join(folder.path, "a-file"), "");
  const script = `${completionScript("bash", COMMANDS)}
compopt() { [ "$1" = -o ] && echo files; }
COMP_WORDS=(pubsub ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}
_pubsub
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const child = Bun.spawn(["bash", "-c", script], { cwd: folder.path, stdout: "pipe", stderr: "pipe" });
  expect(await child.stderr.text()).toBe("");
  return (await child.stdout.text()).split("\n").filter((line) => line !== "");
}

describe("completion in bash", () => {
  test.each([
    [["re"], ["record", "replay"]],
    [["--auto-create-topics", "topi"], ["topics"]],
    [["sub", "--l"], ["--last"]],
    [["sub", "t", "--co"], ["--count"]],
    [
      ["topics", ""],
      ["list", "create", "delete"],
    ],
    [["completion", "z"], ["zsh"]],
    [["--max-hi"], ["--max-history"]],
    [["sub", "--last", ""], []],
    [["replay", "a"], ["files"]],
    [["token", "--jwt-secret-file", ""], ["files"]],
    [["pub", "--vers"], []],
  ])("after %j offers %j", async (words, offered) => {
    expect(await offeredByBash(...words)).toEqual(offered);
  });
});

describe.each(["bash", "zsh", "fish"])("completion in %s", (shell) => {
  test("knows every command and flag", () => {
    const script = completionScript(shell, COMMANDS);
    for (const { name, flags } of COMMANDS) {
      expect(script).toMatch(new RegExp(`\\b${name}\\b`));
      for (const flag of flags) expect(script).toContain(shell === "fish" ? `-l ${flag.name.slice(2)} ` : flag.name);
    }
  });

  test.skipIf(Bun.which(shell) === null)("is a script that the shell can read", () => {
    const { success, stderr } = Bun.spawnSync([shell, "-n"], { stdin: Buffer.from(completionScript(shell, COMMANDS)) });
    expect([success, stderr.toString()]).toEqual([true, ""]);
  });
});
