import { delimiter, join } from "node:path";

/** The first Python on the PATH that has the package `websockets`: npx puts others in front than a shell has. */
function findPython(): string | undefined {
  const paths = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "python3"));
  return paths.find((path) => {
    return Bun.which(path) !== null && Bun.spawnSync([path, "-c", "import websockets"]).exitCode === 0;
  });
}

export const python = findPython();

/** Tests in Python are skipped where there is none, unless `PUBSUB_REQUIRE_PYTHON=1` says that there must be. */
export const skipPython = python === undefined && process.env["PUBSUB_REQUIRE_PYTHON"] !== "1";
