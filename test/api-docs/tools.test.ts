import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestServer } from "../support/server.ts";

/**
 * Where schemathesis is installed. These tests download tools and take two minutes, so they run only where this is set:
 * `.ci/run` does, and CONTRIBUTING says how.
 */
const schemathesis = process.env["PUBSUB_SCHEMATHESIS"];

/** How long the server is sent requests that the document allows, and such that it does not, in seconds. */
const SECONDS = 60;

async function runIn(folder: string, ...command: string[]): Promise<string> {
  const child = Bun.spawn(command, { cwd: folder, stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`${command.join(" ")} exited with ${code}:\n${out}\n${err}`);
  return out + err;
}

/** A folder for the documents of a server, removed afterwards. */
async function documents(url: string) {
  const folder = await mkdtemp(join(tmpdir(), "pubsub-documents-"));
  for (const name of ["openapi.json", "asyncapi.json"]) {
    await Bun.write(join(folder, name), await fetch(`${url}/${name}`));
  }
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

describe.skipIf(schemathesis === undefined)("the API documents", () => {
  test.each([
    ["OpenAPI", "Your API description is valid", ["@redocly/cli@2.77.0", "lint", "openapi.json"]],
    ["AsyncAPI", "is valid", ["@asyncapi/cli@6.2.0", "validate", "asyncapi.json"]],
  ])(
    "are valid %s, by its own people's tool",
    async (_, expected, command) => {
      await using server = startTestServer();
      await using files = await documents(server.url);
      expect(await runIn(files.folder, "npx", "-y", ...command)).toContain(expected);
    },
    300_000,
  );

  test("hold for a minute of requests that schemathesis makes up", async () => {
    await using server = startTestServer({ TOPICS: "news", MAX_TOPICS: "100000" });
    await using files = await documents(server.url);
    const command = [schemathesis ?? "", "run", `${server.url}/openapi.json`, "--max-time", String(SECONDS)];
    // What JSON Schema cannot say is refused all the same: of `since` and `last_n` there may be one, and epochs end. A stream
    // of a deleted topic that comes back is answered 200 with an error, since a browser would give up after a 404.
    const checks = ["--exclude-checks", "positive_data_acceptance,use_after_free"];
    await runIn(files.folder, ...command, "--request-timeout", "5", ...checks);
  }, 300_000);
});
