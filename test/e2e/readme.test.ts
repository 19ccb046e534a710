import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { settings } from "../../src/config.ts";
import { binary, startBinary, type Started } from "../support/binary.ts";
import { Browser, skipBrowser } from "../support/browser.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { until } from "../support/stats.ts";
import { readmeBlock } from "../support/pages.ts";
import { tempFolder } from "../support/proxies.ts";
import { publish } from "../support/publish.ts";
import { python, skipPython } from "../support/python.ts";
import { createTopic, health } from "../support/server.ts";
import { Shell } from "../support/shell.ts";

const readme = await Bun.file(join(import.meta.dir, "../../README.md")).text();

test("README is read in ten minutes: it has no more than 150 lines", () => {
  expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(150);
});

test("the table of settings is as the configuration declares them", async () => {
  const page = await Bun.file(join(import.meta.dir, "../../src/ops/README.md")).text();
  const cells = settings.map(({ variable, default: fallback, help }) => [`\`${variable}\``, fallback, help]);
  const rows = [["variable", "default", ""], ...cells];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  const table = [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body.map(line)];
  const between = /<!-- settings -->\n([^]*)<!-- \/settings -->/.exec(page)?.[1]?.trim();
  expect(between).toBe(table.join("\n"));
});

/** A server with the topic that the README's programs subscribe to, and two messages in it. */
async function startWithNews(env: Record<string, string> = {}): Promise<Started> {
  const server = await startBinary(env);
  await createTopic(server, "news");
  await publish(server, "news", ["hello", "again"]);
  return server;
}

async function untilSubscribed(server: { url: string }): Promise<void> {
  await until(async () => (await health(server)).subscribers === 1);
}

const node = Bun.which("node");

/** Node has WebSocket since 22, and with this flag since 20. */
const runtimes = [
  { runtime: "Bun", command: [process.execPath], skip: false },
  { runtime: "Node", command: [node ?? "node", "--experimental-websocket"], skip: node === null },
];

describe.concurrent("README's program", () => {
  beforeAll(() => void binary(), 60_000);
  const browser = new Browser();
  afterAll(() => browser.close(), 30_000);

  for (const { runtime, command, skip } of runtimes) {
    test.skipIf(skip)(
      `in JavaScript misses nothing across lost connections, with ${runtime}`,
      async () => {
        await using server = await startWithNews();
        using proxy = new CuttingProxy(server);
        using folder = tempFolder();
        const path = join(folder.path, "subscribe.mjs");
        await Bun.write(join(folder.path, "client.mjs"), await fetch(`${server.url}/client.js`));
        await Bun.write(path, readmeBlock("js", proxy));
        await using program = new Shell([...command, path]);
        await untilSubscribed(server);
        await publish(server, "news", ["a"]);
        await program.until("3 a\n");
        // The first time it comes back it has its ack, and loses the connection in the middle of the first event.
        const big = "b".repeat(10_000);
        proxy.cut();
        const cutAgain = proxy.cutAfter(2000);
        await publish(server, "news", [big, "c"]);
        await cutAgain;
        await program.until("5 c\n");
        expect(program.printed).toBe(`3 a\n4 ${big}\n5 c\n`);
      },
      60_000,
    );
  }

  test.skipIf(skipPython)(
    "in Python prints the newest messages and those that follow",
    async () => {
      await using server = await startWithNews();
      const program = [python ?? "python3", "-u", "-c", readmeBlock("python", server)];
      await using subscriber = new Shell(program);
      await subscriber.until("2 again\n");
      await publish(server, "news", ["live"]);
      await subscriber.until("3 live\n");
      expect(subscriber.printed).toBe("1 hello\n2 again\n3 live\n");
    },
    60_000,
  );

  test.skipIf(skipBrowser)(
    "in a page that was opened from a file shows the newest messages and those that follow",
    async () => {
      await using server = await startWithNews({ ALLOWED_ORIGINS: "*" });
      using folder = tempFolder();
      const path = join(folder.path, "page.html");
      await Bun.write(path, readmeBlock("html", server));
      using page = await browser.open(Bun.pathToFileURL(path).href);
      await untilSubscribed(server);
      await publish(server, "news", ["live"]);
      const shown = () => page.evaluate("document.body.innerText.trim()");
      await until(async () => String(await shown()).endsWith("live"));
      expect(await shown()).toBe("hello\nagain\nlive");
    },
    60_000,
  );
});
