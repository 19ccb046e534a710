/** Runs a tool to its end, and expects that it finds nothing wrong. Returns what it says. @param input what it reads */
export async function expectFine(
  command: string[],
  env: Record<string, string> = {},
  input: string | undefined = undefined,
): Promise<string> {
  const stdin = input === undefined ? "ignore" : new TextEncoder().encode(input);
  const tool = Bun.spawn(command, { env: { ...process.env, ...env }, stdin, stdout: "pipe", stderr: "pipe" });
  const said = await Promise.all([new Response(tool.stdout).text(), new Response(tool.stderr).text()]);
  if ((await tool.exited) !== 0) throw new Error(`${command.join(" ")}: ${said.join("")}`);
  return said.join("");
}
