import { rmSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "./proxies.ts";

/** Why tests that need a terminal are skipped; undefined if they are not. */
export function whyNoTerminal(): string | undefined {
  return Bun.which("tmux") === null ? "tmux is not installed" : undefined;
}

/** A terminal, by tmux, with one command in it. */
export class Terminal implements AsyncDisposable {
  readonly #folder = tempFolder();
  readonly #socket = join(this.#folder.path, "tmux");

  /** @param command what the shell of the terminal runs */
  static async start(command: string, env: Record<string, string> = {}): Promise<Terminal> {
    const terminal = new Terminal();
    const variables = Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    // The shell stays, so that what the command leaves on the screen can be looked at.
    const script = `${command}\necho "[exit $?]"; sleep 600`;
    await terminal.#tmux("new-session", "-d", "-x", "100", "-y", "24", ...variables, "bash", "-c", script);
    return terminal;
  }

  /** What stands on the screen, without colours. */
  screen(): Promise<string> {
    return this.#tmux("capture-pane", "-p");
  }

  /** The screen with its colours, as escape sequences. */
  coloured(): Promise<string> {
    return this.#tmux("capture-pane", "-p", "-e");
  }

  async press(...keys: string[]): Promise<void> {
    await this.#tmux("send-keys", ...keys);
  }

  /** Whether programs have the alternate screen. */
  async isAlternate(): Promise<boolean> {
    return (await this.#tmux("display-message", "-p", "#{alternate_on}")).trim() === "1";
  }

  /** Whether the cursor is shown. */
  async hasCursor(): Promise<boolean> {
    return (await this.#tmux("display-message", "-p", "#{cursor_flag}")).trim() === "1";
  }

  /** Waits until the screen is as it is to be, and returns it. */
  async until(text: string | RegExp): Promise<string> {
    const giveUpAt = performance.now() + 20_000;
    while (true) {
      const screen = await this.screen();
      if (typeof text === "string" ? screen.includes(text) : text.test(screen)) return screen;
      if (performance.now() > giveUpAt) throw new Error(`The screen never showed ${text}:\n${screen}`);
      await Bun.sleep(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server").catch(() => {});
    rmSync(this.#socket, { force: true });
    this.#folder[Symbol.dispose]();
  }

  async #tmux(...args: string[]): Promise<string> {
    const child = Bun.spawn(["tmux", "-f", "/dev/null", "-S", this.#socket, ...args], {
      env: { PATH: process.env["PATH"] ?? "", TERM: "xterm-256color", LANG: "C.UTF-8" },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, complaint, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    if (code !== 0) throw new Error(`tmux ${args[0]}: ${complaint}`);
    return out;
  }
}
