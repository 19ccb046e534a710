import { join } from "node:path";

/** Bundles the client library for browsers, as one minified ES module. Runs when this is compiled, as a macro. */
export function bundleClient(): string {
  const entry = join(import.meta.dir, "../client/index.ts");
  const options = ["--target=browser", "--format=esm", "--minify"];
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, "build", ...options, entry]);
  if (exitCode !== 0) throw new Error(`Cannot bundle the client library: ${stderr.toString()}`);
  return stdout.toString();
}
