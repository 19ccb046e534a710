import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dir, "..");

const documents = [...new Bun.Glob("**/*.md").scanSync({ cwd: ROOT, dot: true })].filter((path) => {
  return !path.includes("node_modules/");
});

/** What a heading is called in a link to it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

const textOf = (path: string) => readFileSync(path, "utf8").replace(/```[^]*?```/g, "");

test.each(documents)("every relative link of %s leads somewhere", (document) => {
  const path = join(ROOT, document);
  const broken: string[] = [];
  for (const [, target = ""] of textOf(path).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [file = "", anchor] = target.split("#");
    const to = file === "" ? path : join(dirname(path), file);
    const headings = () => [...textOf(to).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading));
    if (!existsSync(to) || (anchor !== undefined && !headings().includes(anchor))) broken.push(target);
  }
  expect(broken).toEqual([]);
});
