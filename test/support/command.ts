import { binary } from "./binary.ts";

/** What a command of the executable came to. */
export type Outcome = { code: number; out: string; err: string; lines: unknown[] };

type Given = { env?: Record<string, string>; stdin?: string };

/** Starts a command of the executable against a server. */
export function startCommand(server: { url: string }, args: readonly string[], { env = {}, stdin }: Given = {}) {
  return Bun.spawn([binary(), ...args], {
    env: { PUBSUB_URL: server.url, ...env },
    stdin: stdin === undefined ? "ignore" : Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Runs a command of the executable to its end. */
export async function runCommand(server: { url: string }, args: readonly string[], given?: Given): Promise<Outcome> {
  return outcomeOf(startCommand(server, args, given));
}

/** What a command came to, once it has ended. `lines` is its output as JSON, if each line is. */
export async function outcomeOf(child: Bun.Subprocess<"ignore" | Buffer, "pipe", "pipe">): Promise<Outcome> {
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err, lines: out.startsWith("{") ? linesOf(out) : [] };
}

function linesOf(text: string): unknown[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
}

/** Runs a line of shell, in which `$PUBSUB` is the executable, against a server. */
export async function runShell(server: { url: string }, script: string, env: Record<string, string> = {}) {
  const child = Bun.spawn(["bash", "-c", script], {
    env: { PATH: process.env["PATH"] ?? "", PUBSUB: binary(), PUBSUB_URL: server.url, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  return outcomeOf(child);
}
