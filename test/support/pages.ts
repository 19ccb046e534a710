import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "../..");

/** Every page of the documentation, by its path in the repository. */
export const pages: readonly string[] = [...new Set(new Bun.Glob("**/*.md").scanSync({ cwd: ROOT, dot: true }))]
  .filter((path) => !path.includes("node_modules/"))
  .sort();

/** A fenced block. Its note is what stands behind the language. */
export type Block = { readonly language: string; readonly note: string; readonly text: string };

export function blocksOf(page: string): Block[] {
  const markdown = readFileSync(join(ROOT, page), "utf8");
  return [...markdown.matchAll(/^ *```(\S*) *(.*)\n([^]*?)^ *```$/gm)].map(
    ([, language = "", note = "", text = ""]) => {
      return { language, note, text };
    },
  );
}

/** The README's one block in a language, with the address of a server in place of its own. */
export function readmeBlock(language: string, { port }: { readonly port: number }): string {
  const [block, another] = blocksOf("README.md").filter((each) => each.language === language);
  if (block === undefined || another !== undefined) throw new Error(`README.md must have one ${language} block`);
  return withAddress(block.text, port);
}

/** A text of the documentation, where every server listens on localhost:8000, for the server on this port. */
export function withAddress(text: string, port: number): string {
  return text.replaceAll(/\b(localhost|127\.0\.0\.1):8000\b/g, `127.0.0.1:${port}`);
}
