const CANDIDATES = ["python3", "/usr/bin/python3"];

/** A Python that has the package `websockets`. */
export const python = CANDIDATES.find((path) => {
  return Bun.which(path) !== null && Bun.spawnSync([path, "-c", "import websockets"]).exitCode === 0;
});

/** Tests in Python are skipped where there is none, unless `PUBSUB_REQUIRE_PYTHON=1` says that there must be. */
export const skipPython = python === undefined && process.env["PUBSUB_REQUIRE_PYTHON"] !== "1";
