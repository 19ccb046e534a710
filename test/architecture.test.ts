import { describe, expect, test } from "bun:test";
import { dirname, join, normalize } from "node:path";

/**
 * Which part may import which: its own folder always, a folder, a file or a package where it is named, and with `type`
 * before it the types only. Whatever is not here may not be imported.
 */
const MAY_IMPORT: Record<string, readonly string[]> = {
  "protocol/": ["zod"],
  "engine/": ["protocol/", "zod"],
  "redis/": ["engine/", "bun", "node:net", "node:tls"],
  "auth/": ["protocol/", "jose", "zod", "node:crypto", "node:fs"],
  "broker/": ["protocol/"],
  "ops/": ["protocol/", "type broker/", "../package.json", "node:fs", "node:net", "node:os"],
  "kernel/": ["protocol/", "bun:ffi", "node:fs"],
  "transport/": ["auth/", "protocol/", "broker/", "type engine/", "ops/", "type kernel/", "type bun"],
  "api-docs/": ["protocol/", "zod"],
  "http/": [
    "api-docs/",
    "../package.json",
    "auth/",
    "protocol/",
    "broker/",
    "type engine/",
    "ops/",
    "type transport/",
    "type bun",
    "node:fs",
    "node:net",
    "node:path",
  ],
  "client/": ["protocol/"],
  "dashboard/": ["client/", "type protocol/", "preact", "preact/hooks", "uplot"],
  "cli/": [
    "auth/",
    "client/",
    "protocol/",
    "kernel/",
    "config.ts",
    "setting-kinds.ts",
    "zod",
    "node:fs",
    "node:fs/promises",
    "node:os",
  ],
  "config.ts": ["zod", "setting-kinds.ts", "engine-settings.ts"],
  "engine-settings.ts": ["zod", "setting-kinds.ts"],
  "setting-kinds.ts": ["zod", "node:fs", "node:net", "protocol/"],
  "tls.ts": ["node:crypto", "node:fs", "node:tls"],
  "reload.ts": ["auth/", "tls.ts", "type ops/"],
  "warnings.ts": ["node:net", "node:os"],
  "listener.ts": ["type bun", "type tls.ts", "type transport/"],
  "open-engine.ts": ["engine/", "redis/", "ops/", "type protocol/", "type config.ts", "node:fs"],
  "healthcheck.ts": ["node:fs", "type config.ts"],
  "server.ts": [
    "auth/",
    "broker/",
    "type engine/",
    "open-engine.ts",
    "warnings.ts",
    "http/",
    "kernel/",
    "ops/",
    "listener.ts",
    "protocol/",
    "reload.ts",
    "type tls.ts",
    "transport/",
    "config.ts",
    "../package.json",
  ],
  "main.ts": [
    "auth/",
    "cli/",
    "tls.ts",
    "config.ts",
    "healthcheck.ts",
    "ops/",
    "server.ts",
    "../package.json",
    "node:dns/promises",
    "node:net",
  ],
};

/** What a part must not mention, though no import says so. */
const MAY_NOT_MENTION: Record<string, RegExp> = {
  "protocol/": /\b(Bun|process|setTimeout|setInterval|Date\.now|performance)\b/g,
  "client/": /\b(Bun|process|Buffer|require)\b/g,
  "engine/": /\b(Bun|process|console|setTimeout|setInterval|setImmediate|queueMicrotask|Date|performance)\b/g,
  "broker/": /\b(Bun|process|console|setTimeout|setInterval|setImmediate|queueMicrotask|Date|performance)\b/g,
};

/** The text of every file under src/, by its path there. */
const sources = new Map<string, string>();
const root = join(import.meta.dir, "../src");
for (const path of [...new Bun.Glob("**/*.{ts,tsx,js,mjs}").scanSync(root)].sort()) {
  sources.set(path, await Bun.file(join(root, path)).text());
}

type Import = { target: string; typeOnly: boolean; line: number };

/** A part's name as the table has it: the folder or, at the top, the file. */
function partOf(path: string): string {
  const slash = path.indexOf("/");
  return slash < 0 ? path : path.slice(0, slash + 1);
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** Every static, side-effect and dynamic import and re-export; a relative one as its path under src/. */
function importsOf(path: string, text: string): Import[] {
  const found: Import[] = [];
  const statement = /^[ \t]*(?:import|export)\b(\s+type\b)?[^;"'`]*?\bfrom\s*["']([^"']+)["']/gm;
  const sideEffect = /^[ \t]*import()\s*["']([^"']+)["']/gm;
  const call = /\b(?:import|require)()\s*\(\s*["'`]([^"'`]+)["'`]/g;
  for (const pattern of [statement, sideEffect, call]) {
    for (const match of text.matchAll(pattern)) {
      const [, type, specifier = ""] = match;
      const target = specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : specifier;
      found.push({ target, typeOnly: Boolean(type), line: lineAt(text, match.index) });
    }
  }
  return found;
}

/** Comments and text blanked out, line for line. */
function codeOf(text: string): string {
  const blank = (part: string) => part.replace(/[^\n]/g, " ");
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, blank);
}

/** What a file imports against the table, as `file:line says what`. */
function forbiddenImports(path: string, text: string): string[] {
  const part = partOf(path);
  const allowed = MAY_IMPORT[part] ?? [];
  return importsOf(path, text).flatMap(({ target, typeOnly, line }) => {
    const name = target.startsWith("..") || !/\.(ts|tsx|js|mjs)$/.test(target) ? target : partOf(target);
    const may = name === part || allowed.includes(name) || (typeOnly && allowed.includes(`type ${name}`));
    return may ? [] : [`src/${path}:${line} ${part} may not import ${typeOnly ? "types of " : ""}${target}`];
  });
}

function forbiddenMentions(path: string, text: string): string[] {
  const pattern = MAY_NOT_MENTION[partOf(path)];
  if (pattern === undefined) return [];
  const code = codeOf(text);
  return [...code.matchAll(pattern)].map((match) => `src/${path}:${lineAt(code, match.index)} mentions ${match[0]}`);
}

/** The first ring of imports that comes back to where it began, types included. */
function cycleIn(files: ReadonlyMap<string, string>): string[] | undefined {
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    const text = files.get(path);
    if (text === undefined || done.has(path)) return undefined;
    for (const { target } of importsOf(path, text)) {
      const cycle = visit(target, [...way, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of files.keys()) {
    const cycle = visit(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

describe("the source", () => {
  test("has a rule for every part, and a part for every rule", () => {
    expect([...new Set([...sources.keys()].map(partOf))].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
  });

  test("imports only in the one direction", () => {
    expect([...sources].flatMap(([path, text]) => forbiddenImports(path, text))).toEqual([]);
  });

  test("imports only files that are there, by their full name", () => {
    const missing = [...sources].flatMap(([path, text]) =>
      importsOf(path, text)
        .filter(({ target }) => partOf(target) in MAY_IMPORT && !sources.has(target))
        .map(({ target, line }) => `src/${path}:${line} imports ${target}`),
    );
    expect(missing).toEqual([]);
  });

  test("has no import cycle, types included", () => {
    expect(cycleIn(sources)?.join(" → ")).toBeUndefined();
  });

  test("of the broker, the engine and the protocol knows no Bun, timer or clock", () => {
    expect([...sources].flatMap(([path, text]) => forbiddenMentions(path, text))).toEqual([]);
  });
});

/** What of the broker others may know: what it is asked, what it answers, and its ports. */
const BROKER_FACE = ["broker", "endings", "ports", "recovery", "session", "stats"].map((file) => `broker/${file}.ts`);

/** Imports that reach past the broker's face, as `file:line says what`. */
function reachesIntoBroker(path: string, text: string): string[] {
  if (["broker/", "server.ts"].includes(partOf(path))) return [];
  return importsOf(path, text)
    .filter(({ target }) => partOf(target) === "broker/" && !BROKER_FACE.includes(target))
    .map(({ target, line }) => `src/${path}:${line} reaches into ${target}`);
}

/** Variables at the top level of a file, which all that is made of it would share. */
function moduleState(path: string, text: string): string[] {
  const code = codeOf(text);
  const state =
    /^(?:export )?(?:let|var)\b|^(?:export )?const \w+(?:: (?![Rr]eadonly)[^=]+)? = (?:new (?:Map|Set|WeakMap|WeakSet)\b|\[\];)/gm;
  return [...code.matchAll(state)].map((match) => {
    return `src/${path}:${lineAt(code, match.index)} keeps state in a module`;
  });
}

/** Lines of a file that a reader can still take in. */
const MOST_LINES = 250;

describe("each file of the source", () => {
  test(`has at most ${MOST_LINES} lines`, () => {
    const long = [...sources].filter(([, text]) => text.trimEnd().split("\n").length > MOST_LINES);
    expect(long.map(([path]) => path)).toEqual([]);
  });

  test("asks the broker, and does not reach into it", () => {
    expect([...sources].flatMap(([path, text]) => reachesIntoBroker(path, text))).toEqual([]);
  });

  test("keeps no state in the module", () => {
    expect([...sources].flatMap(([path, text]) => moduleState(path, text))).toEqual([]);
  });

  test("of the client library takes no package with it, by whatever way", () => {
    const reached = new Set([...sources.keys()].filter((path) => partOf(path) === "client/"));
    const packages: string[] = [];
    for (const path of reached) {
      for (const { target, line } of importsOf(path, sources.get(path) ?? "")) {
        if (sources.has(target)) reached.add(target);
        else packages.push(`src/${path}:${line} imports ${target}`);
      }
    }
    expect(packages).toEqual([]);
    expect(reached.has("protocol/frames.ts")).toBe(true);
  });

  test("has the zod-free wire types apart", () => {
    for (const path of ["protocol/frames.ts", "protocol/codes.ts"]) {
      const targets = importsOf(path, sources.get(path) ?? "").map(({ target }) => target);
      expect(targets.filter((target) => !["protocol/frames.ts", "protocol/codes.ts"].includes(target))).toEqual([]);
    }
  });
});

describe("these rules", () => {
  test("find what reaches into the broker", () => {
    const text = `import { Broker } from "../broker/broker.ts";\nimport type { TopicLog } from "../broker/log.ts";`;
    expect(reachesIntoBroker("http/x.ts", text)).toEqual(["src/http/x.ts:2 reaches into broker/log.ts"]);
    expect(reachesIntoBroker("broker/x.ts", `import { TopicLog } from "./log.ts";`)).toEqual([]);
  });

  test("find state in a module, and none in a function", () => {
    const text = "const a = 1;\nlet b = 2;\nexport let c = 3;\nfunction d() {\n  let e = 4;\n}";
    expect(moduleState("ops/x.ts", text)).toEqual([
      "src/ops/x.ts:2 keeps state in a module",
      "src/ops/x.ts:3 keeps state in a module",
    ]);
  });

  test.each([
    ["broker/x.ts", `import type { Server } from "bun";`, "src/broker/x.ts:1 broker/ may not import types of bun"],
    ["broker/x.ts", `\nimport {\n  a,\n} from "../http/a.ts";`, "src/broker/x.ts:2 broker/ may not import http/a.ts"],
    ["ops/x.ts", `export * from "../broker/ports.ts";`, "src/ops/x.ts:1 ops/ may not import broker/ports.ts"],
    ["protocol/x.ts", `import "../server.ts";`, "src/protocol/x.ts:1 protocol/ may not import server.ts"],
    ["http/x.ts", `const a = await import("../main.ts");`, "src/http/x.ts:1 http/ may not import main.ts"],
    ["http/x.ts", `import { a } from "../transport/a.ts";`, "src/http/x.ts:1 http/ may not import transport/a.ts"],
    ["broker/x.ts", `import { a } from "../../test/a.ts";`, "src/broker/x.ts:1 broker/ may not import ../test/a.ts"],
    ["new/x.ts", `import { z } from "zod";`, "src/new/x.ts:1 new/ may not import zod"],
  ])("name the line: %s %j", (path, text, complaint) => {
    expect(forbiddenImports(path, text)).toEqual([complaint]);
  });

  test("let pass what the table allows", () => {
    expect(forbiddenImports("http/x.ts", `import type { A } from "../transport/a.ts";`)).toEqual([]);
    expect(
      forbiddenImports("broker/x.ts", `import { a } from "./a.ts";\nimport { b } from "../protocol/b.ts";`),
    ).toEqual([]);
  });

  test("find a mention in code, and none in comments or text", () => {
    const text = `// Date.now\n/** Bun.serve */\nconst a = "setTimeout";\nconst b = Date.now();`;
    expect(forbiddenMentions("broker/x.ts", text)).toEqual(["src/broker/x.ts:4 mentions Date"]);
  });

  test("find a cycle of types only", () => {
    const files = new Map([
      ["ops/a.ts", `import type { B } from "./b.ts";`],
      ["ops/b.ts", `export type { A } from "./a.ts";`],
    ]);
    expect(cycleIn(files)).toEqual(["ops/a.ts", "ops/b.ts", "ops/a.ts"]);
  });
});
