import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTopic, startTestServer } from "../support/server.ts";

const ROOT = join(import.meta.dir, "../..");

/** A project that has the packed tarball installed, and nothing else. */
const project = mkdtempSync(join(tmpdir(), "pubsub-package-"));
const installed = join(project, "node_modules/inmemory-pubsub");

function run(command: string[], cwd = project): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd });
  const said = `${stdout.toString()}${stderr.toString()}`;
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}: ${said}`);
  return said;
}

beforeAll(() => {
  const tarball = join(project, "packed.tgz");
  run([process.execPath, "pm", "pack", "--filename", tarball], ROOT);
  mkdirSync(installed, { recursive: true });
  run(["tar", "-xzf", tarball, "-C", installed, "--strip-components=1"]);
}, 120_000);

afterAll(() => rmSync(project, { recursive: true, force: true }));

const PROGRAM = `
import { connect } from "inmemory-pubsub/client";
const client = connect(process.argv[2]);
const subscription = client.subscribe("t");
const { seq } = await client.publish("t", { hello: "world" });
for await (const item of subscription) {
  console.log(seq, JSON.stringify(item.payload));
  break;
}
await client.close();
`;

describe("the packed tarball", () => {
  test("has the bundle, its map and its types, and no source of the server", () => {
    for (const path of ["dist/client/index.js", "dist/client/index.js.map", "dist/client/types/client/index.d.ts"]) {
      expect(existsSync(join(installed, path))).toBe(true);
    }
    expect(existsSync(join(installed, "src/server.ts"))).toBe(false);
  });

  test.each([
    ["Bun", [process.execPath]],
    ["Node", ["node", "--experimental-websocket", "--no-warnings"]],
  ])("works in %s", async (_, command) => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await Bun.write(join(project, "program.mjs"), PROGRAM);
    const child = Bun.spawn([...command, "program.mjs", server.url], { cwd: project, stderr: "inherit" });
    expect(await child.stdout.text()).toBe('1 {"hello":"world"}\n');
    expect(await child.exited).toBe(0);
  });

  test("has types: topics have their payloads, and a wrong one is refused", async () => {
    const options = { strict: true, module: "nodenext", target: "es2022", noEmit: true, skipLibCheck: false };
    const compilerOptions = { ...options, lib: ["es2022", "dom", "dom.asynciterable"], types: [] };
    await Bun.write(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["good.mts"] }));
    const start = `import { connect } from "inmemory-pubsub/client";\nconst client = connect<{ orders: { amount: number } }>("");\n`;
    await Bun.write(
      join(project, "good.mts"),
      `${start}client.subscribe("orders", { onEvent: ({ payload }) => payload.amount.toFixed(2) });\nclient.publish("orders", { amount: 1 });\n`,
    );
    run([process.execPath, "check"]);
    const wrong = [`client.publish("orders", { amount: "1" });`, `client.publish("order", { amount: 1 });`];
    for (const line of wrong) {
      await Bun.write(join(project, "good.mts"), start + line);
      expect(() => run([process.execPath, "check"])).toThrow(/error TS2/);
    }
  });
});
