import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { Browser, skipBrowser } from "../support/browser.ts";
import { declareForeign } from "../support/contract.ts";
import { blocksOf, ROOT } from "../support/pages.ts";
import { startTestServer } from "../support/server.ts";
import { until } from "../support/stats.ts";

const folder = mkdtempSync(join(tmpdir(), "pubsub-readme-"));

/** A file of the page's examples, with other addresses in it. */
async function place(name: string, replaced: Record<string, string> = {}): Promise<string> {
  const block = blocksOf("src/client/README.md").find(({ note }) => note === `file: ${name}`);
  if (block === undefined) throw new Error(`The page has no file ${name}`);
  let { text } = block;
  for (const [from, to] of Object.entries(replaced)) {
    expect(text).toContain(from);
    text = text.replaceAll(from, to);
  }
  await Bun.write(join(folder, name), text);
  return join(folder, name);
}

/** The library as its users name it, from its source. */
const LIBRARY = `export * from "${ROOT}/src/client/index.ts";`;

/** As much of React as a hook needs: a state, and an effect that runs once. */
const REACT = {
  "index.ts": `
    const room = { state: undefined as unknown, end: () => {} };
    export { room };
    export function useState<T>(first: T): [T, (change: T | ((before: T) => T)) => void] {
      const isT = (value: unknown): value is T => value !== undefined;
      const isChange = (value: unknown): value is (before: T) => T => typeof value === "function";
      const now = () => (isT(room.state) ? room.state : first);
      return [now(), (change) => (room.state = isChange(change) ? change(now()) : change)];
    }
    export function useEffect(effect: () => () => void, _: readonly unknown[]): void {
      room.end = effect();
    }`,
};

beforeAll(async () => {
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "inmemory-pubsub"), { recursive: true });
  await Bun.write(join(modules, "inmemory-pubsub/client.ts"), LIBRARY);
  await Bun.write(
    join(modules, "inmemory-pubsub/package.json"),
    JSON.stringify({ name: "inmemory-pubsub", exports: { "./client": "./client.ts" } }),
  );
  await Bun.write(join(modules, "react/index.ts"), REACT["index.ts"]);
  await Bun.write(join(modules, "react/package.json"), JSON.stringify({ name: "react", exports: "./index.ts" }));
  for (const name of ["@types", "bun-types"]) symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Checks the types of files as the project checks its own. */
function check(...files: string[]): void {
  const { exitCode, stdout } = Bun.spawnSync([process.execPath, "check", "--no-script", ...files], { cwd: folder });
  expect({ exitCode, said: exitCode === 0 ? "" : stdout.toString() }).toEqual({ exitCode: 0, said: "" });
}

test.skipIf(skipBrowser)("the table of the client's README is shown live in a page, and misses nothing", async () => {
  await using server = startTestServer({ TOPICS: "tasks", ALLOWED_ORIGINS: "*" });
  const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = free;
  free.stop(true);
  const address = { "http://localhost:8000": server.url };
  await place("server.ts", { ...address, "port: 3000": `hostname: "127.0.0.1", port: ${port}` });
  await place("page.html", address);
  const backend = Bun.spawn([process.execPath, "server.ts"], { cwd: folder, stdout: "inherit", stderr: "inherit" });
  const url = `http://127.0.0.1:${port}`;
  using _ = declareForeign(url);
  const add = (text: string) => fetch(`${url}/tasks`, { method: "POST", body: text });
  const browser = new Browser();
  try {
    await until(() =>
      add("before").then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    const view = await browser.open(url);
    const shown = async () => z.string().parse(await view.evaluate("document.querySelector('ul').innerText"));
    await until(async () => (await shown()) === "before");
    await add("after");
    await until(async () => (await shown()) === "before\nafter");
  } finally {
    await browser.close();
    backend.kill();
    await backend.exited;
  }
});

test("the programs of the client's README compile, and the hook gives what its topic has", async () => {
  await using server = startTestServer({ TOPICS: "t" });
  await place("use-topic.tsx");
  await place("server.ts");
  await Bun.write(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        ...{ strict: true, module: "preserve", target: "esnext", lib: ["esnext", "dom"], types: ["bun"] },
        ...{ jsx: "preserve", skipLibCheck: true, allowImportingTsExtensions: true, noEmit: true },
      },
      files: ["use-topic.tsx", "server.ts"],
    }),
  );
  check();
  await Bun.write(
    join(folder, "run.ts"),
    `import { connect } from "inmemory-pubsub/client";
    import { room } from "react";
    import { useTopic } from "./use-topic.tsx";
    const client = connect("${server.url}");
    await client.publish("t", "old");
    useTopic(client, "t");
    await client.publish("t", "new");
    while (useState().length < 2) await Bun.sleep(1);
    console.log(JSON.stringify(useState().map(({ payload }) => payload)));
    room.end();
    await client.close();
    function useState() { return Array.isArray(room.state) ? room.state : []; }`,
  );
  const child = Bun.spawn([process.execPath, "run.ts"], { cwd: folder, stderr: "inherit" });
  expect(await child.stdout.text()).toBe('["old","new"]\n');
  expect(await child.exited).toBe(0);
});
