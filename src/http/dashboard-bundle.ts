import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Bundles the page: its HTML as it stands, its script and its style. Runs when this is compiled, as a macro. */
export function bundleDashboard(): { html: string; script: string; style: string } {
  const folder = join(import.meta.dir, "../dashboard");
  const build = (entry: string, ...options: string[]): string => {
    const command = [process.execPath, "build", "--target=browser", "--minify", ...options, join(folder, entry)];
    const { exitCode, stdout, stderr } = Bun.spawnSync(command);
    if (exitCode !== 0) throw new Error(`Cannot bundle the page: ${stderr.toString()}`);
    return stdout.toString();
  };
  return {
    html: readFileSync(join(folder, "index.html"), "utf8"),
    script: build("app.tsx", "--format=esm"),
    style: build("style.css"),
  };
}
