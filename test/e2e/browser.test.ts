import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { Browser, skipBrowser } from "../support/browser.ts";
import { Client } from "../support/client.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { createTopic, health, startTestServer } from "../support/server.ts";

const position = z.object({ epoch: z.string(), seq: z.number() });

/** What the page keeps: see browser-page.html. */
const stateSchema = z.object({
  subscribed: z.number(),
  received: z.array(position),
  gaps: z.array(z.tuple([position, position])),
  errors: z.array(z.string()),
});

type State = z.infer<typeof stateSchema>;

async function stateOf(page: Bun.WebView): Promise<State> {
  return stateSchema.parse(await page.evaluate("state"));
}

function lastOf({ received }: State): number {
  return received.at(-1)?.seq ?? 0;
}

/** Waits for what the page is expected to come to, and tells where it stood if it never does. */
async function untilPage(page: Bun.WebView, expected: (state: State) => boolean): Promise<State> {
  for (let i = 0; i < 400; i++) {
    const state = await stateOf(page);
    if (expected(state)) return state;
    await Bun.sleep(50);
  }
  throw new Error(`The page did not get there: ${expected} of ${JSON.stringify(await stateOf(page))}`);
}

/** Serves the page from an origin of its own, as a web application beside the server would. */
function servePage() {
  const page = Bun.file(join(import.meta.dir, "browser-page.html"));
  const pages = Bun.serve({ hostname: "127.0.0.1", port: 0, routes: { "/": new Response(page) } });
  return { origin: pages.url.origin, [Symbol.asyncDispose]: () => pages.stop(true) };
}

async function publish(client: Client, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await client.publish("t", "x".repeat(1000));
}

async function untilSubscribers(server: { url: string }, count: number): Promise<void> {
  while ((await health(server)).subscribers !== count) await Bun.sleep(10);
}

/** How a connection is lost, how many messages the page has had by then, and how many of the next 20 still come through. */
const losses = [
  { when: "before the first message", seen: 0, lose: (proxy: CuttingProxy) => proxy.cut(), least: 0, most: 0 },
  { when: "between two messages", seen: 50, lose: (proxy: CuttingProxy) => proxy.cut(), least: 0, most: 0 },
  { when: "in the middle of one", seen: 50, lose: (proxy: CuttingProxy) => proxy.cutAfter(5500), least: 1, most: 19 },
];

/** Side by side: most of their time is what the browser waits before it connects again. */
describe.skipIf(skipBrowser).concurrent("in a browser", () => {
  const browser = new Browser();
  afterAll(() => browser.close(), 30_000);

  for (const mode of ["EventSource", "WebSocket"]) {
    for (const { when, seen, lose, least, most } of losses) {
      test(`a page over ${mode} misses nothing across a connection lost ${when}`, async () => {
        await using pages = servePage();
        await using server = startTestServer({ ALLOWED_ORIGINS: pages.origin });
        using proxy = new CuttingProxy(server);
        await using publisher = await Client.connect(server);
        await createTopic(server, "t");
        const query = new URLSearchParams({ mode, server: proxy.url, topic: "t" });
        using page = await browser.open(`${pages.origin}/?${query}`);
        await untilPage(page, ({ subscribed }) => subscribed === 1);

        await publish(publisher, seen);
        await untilPage(page, (state) => lastOf(state) === seen);

        proxy.refuse();
        void lose(proxy);
        await publish(publisher, 20);
        await untilSubscribers(server, 0);
        while (proxy.refused === 0) await Bun.sleep(10);
        const { received } = await stateOf(page);
        expect(received.length - seen).toBeWithin(least, most + 1);

        proxy.admit();
        await untilPage(page, ({ subscribed }) => subscribed === 2);
        await publish(publisher, 30);
        const end = await untilPage(page, (state) => lastOf(state) === seen + 50);
        expect(end.received.map(({ seq }) => seq)).toEqual(Array.from({ length: seen + 50 }, (_, i) => i + 1));
        expect(new Set(end.received.map(({ epoch }) => epoch)).size).toBe(1);
        expect([end.gaps, end.errors]).toEqual([[], []]);
      }, 60_000);
    }
  }
});
