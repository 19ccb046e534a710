import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { binary, startBinary } from "../support/binary.ts";
import { Browser, skipBrowser } from "../support/browser.ts";
import { until } from "../support/stats.ts";
import { skipWithout, startNginx } from "../support/proxies.ts";
import { publish } from "../support/publish.ts";
import { createTopic, health } from "../support/server.ts";

/** The address is /?EVENTS. */
const PAGE = `<!doctype html>
<script>
  const payloads = [];
  const source = new EventSource(decodeURIComponent(location.search.slice(1)));
  source.onmessage = ({ data }) => payloads.push(JSON.parse(data).message.payload);
</script>`;

/** What the test alone wants to know: how often the stream was lost, or refused. */
const OBSERVE = `(() => {
  globalThis.failed = 0;
  source.addEventListener("error", () => failed++);
})()`;

const stateSchema = z.object({ failed: z.number(), payloads: z.array(z.string()) });

type State = z.infer<typeof stateSchema>;

async function untilPage(page: Bun.WebView, expected: (state: State) => boolean): Promise<State> {
  const look = async () => stateSchema.parse(await page.evaluate("({ failed, payloads })"));
  await until(async () => expected(await look()));
  return look();
}

function servePage() {
  const page = () => new Response(PAGE, { headers: { "content-type": "text/html" } });
  const pages = Bun.serve({ hostname: "127.0.0.1", port: 0, routes: { "/": page } });
  return { origin: pages.url.origin, [Symbol.asyncDispose]: () => pages.stop(true) };
}

type Front = { readonly url: string } & AsyncDisposable;

/**
 * Kills the server of a page's stream and starts it again.
 *
 * @param stand what stands before the server
 * @param topics those that the second one declares; "t" is created by hand where it is not among them
 */
async function goesOn(
  browser: Browser,
  stand: (server: { port: number; url: string }) => Front | Promise<Front>,
  topics = "s,t",
): Promise<void> {
  await using pages = servePage();
  const settings = { ALLOWED_ORIGINS: pages.origin };
  await using first = await startBinary({ ...settings, TOPICS: "s,t" });
  await using front = await stand(first);
  using page = await browser.open(`${pages.origin}/?${encodeURIComponent(`${front.url}/topics/t/events`)}`);
  await page.evaluate(OBSERVE);
  await until(async () => (await health(first)).subscribers === 1);
  await publish(first, "t", ["before"]);
  await untilPage(page, ({ payloads }) => payloads.length === 1);

  await first[Symbol.asyncDispose]();
  // One for the stream that was lost, one for the first attempt to open it again.
  const { failed: before } = await untilPage(page, ({ failed }) => failed > 1);
  await using second = await startBinary({ ...settings, PORT: String(first.port), TOPICS: topics });
  if (!topics.includes("t")) {
    await untilPage(page, ({ failed }) => failed > before + 2);
    await createTopic(second, "t");
  }
  await until(async () => (await health(second)).subscribers === 1);
  await publish(second, "t", ["after"]);
  const { payloads } = await untilPage(page, (state) => state.payloads.length > 1);
  expect(payloads).toEqual(["before", "after"]);
}

const nothing = ({ url }: { url: string }) => ({ url, [Symbol.asyncDispose]: async () => {} });

describe.skipIf(skipBrowser)("a page with nothing but an EventSource and its onmessage", () => {
  const browser = new Browser();
  beforeAll(() => void binary());
  afterAll(() => browser.close(), 30_000);

  test("goes on after the server was killed and started again with the same TOPICS", async () => {
    await goesOn(browser, nothing);
  }, 60_000);

  test("goes on where its topic is there again only some time after the server", async () => {
    await goesOn(browser, nothing, "s");
  }, 60_000);

  test.skipIf(skipWithout("nginx"))(
    "goes on after the server was killed and started again with the same TOPICS, behind nginx",
    () => goesOn(browser, startNginx),
    60_000,
  );
});
