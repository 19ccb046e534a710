import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { connect } from "../../src/client/index.ts";
import { Browser } from "../support/browser.ts";
import { begin, type Report } from "./ledger.ts";

/** A ledger that runs somewhere, until it is asked for its report. */
export type Session = { stop(): Promise<Report> } & AsyncDisposable;

const entry = z.union([
  z.object({ epoch: z.string(), seq: z.number(), id: z.string() }),
  z.object({ epoch: z.string(), first: z.number(), last: z.number().nullable(), status: z.string() }),
]);
const reportSchema: z.ZodType<Report> = z.object({
  topics: z.record(z.string(), z.array(entry)),
  acked: z.array(
    z.object({
      topic: z.string(),
      epoch: z.string(),
      first: z.number(),
      seq: z.number(),
      ids: z.array(z.string()),
      duplicate: z.boolean(),
    }),
  ),
  refused: z.array(z.string()),
  errors: z.array(z.string()),
  connections: z.number(),
});

const read = (text: string) => reportSchema.parse(JSON.parse(text));

async function bundle(file: string, target: "node" | "browser"): Promise<string> {
  const { outputs } = await Bun.build({ entrypoints: [join(import.meta.dir, file)], target, format: "esm" });
  const [output] = outputs;
  if (output === undefined) throw new Error(`Cannot bundle ${file}`);
  return output.text();
}

export function inBun(url: string): Promise<Session> {
  const session = begin(connect, url);
  return Promise.resolve({ ...session, [Symbol.asyncDispose]: async () => {} });
}

/** In Node 20 or later. Its process must end by itself: something that is left of the client keeps it alive. */
export async function inNode(url: string): Promise<Session> {
  const folder = mkdtempSync(join(tmpdir(), "pubsub-node-"));
  const script = join(folder, "ledger.mjs");
  await Bun.write(script, await bundle("in-node.ts", "node"));
  const child = Bun.spawn(["node", "--experimental-websocket", "--no-warnings", script, url], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  return {
    stop: async () => {
      child.stdin.end();
      const text = await child.stdout.text();
      if ((await child.exited) !== 0) throw new Error(`Node ended with ${child.exitCode}: ${text}`);
      return read(text);
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function inChromium(url: string): Promise<Session> {
  const script = await bundle("in-page.ts", "browser");
  const html = `<!doctype html><script type="module">${script.replaceAll("</script", "<\\/script")}</script>`;
  const headers = { "content-type": "text/html;charset=utf-8" };
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(html, { headers }) });
  const browser = new Browser();
  const view = await browser.open(`${server.url}?server=${encodeURIComponent(url)}`);
  return {
    stop: async () => read(z.string().parse(await view.evaluate("stop()"))),
    [Symbol.asyncDispose]: async () => {
      await browser.close();
      await server.stop(true);
    },
  };
}
