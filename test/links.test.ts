import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pages, ROOT } from "./support/pages.ts";

/** What a heading is called in a link to it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

const textOf = (path: string) => readFileSync(path, "utf8").replace(/```[^]*?```/g, "");

test.each(pages)("every relative link of %s leads somewhere", (page) => {
  const path = join(ROOT, page);
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
