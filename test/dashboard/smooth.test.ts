import { afterAll, describe, expect, test } from "bun:test";
import { Browser, skipBrowser } from "../support/browser.ts";
import { publish } from "../support/publish.ts";
import { startTestServer } from "../support/server.ts";
import { Dashboard, expectClean } from "./dashboard.ts";

/** As many as a server has unless it is told otherwise. */
const NAMES = Array.from({ length: 10_000 }, (_, i) => `topic-${10_000 + i}`);

describe.skipIf(skipBrowser)("the page is smooth", () => {
  const browser = new Browser();
  afterAll(() => browser.close(), 30_000);

  test("with 10,000 topics, of which only those in view are in the document", async () => {
    await using server = startTestServer({ TOPICS: NAMES.join() });
    using page = await Dashboard.open(browser, server);
    await page.untilText("Rates sampled every 2 s.");
    await page.untilText("topic-10000");
    expect(await page.count(".rows tbody tr")).toBeLessThan(60);
    await page.evaluate(`document.querySelector(".rows").scrollTo(0, 1e9)`);
    await page.untilText("topic-19999");
    expect(await page.count(".rows tbody tr")).toBeLessThan(60);
    await page.fill("Search topics", "topic-1234");
    await page.untilText("10 of 10,000 topics.");
    await publish(server, "topic-12345", [1]);
    const rate = `[...document.querySelectorAll(".rows tbody tr")].find((row) => row.textContent.startsWith("topic-12345"))?.querySelector(".figure").textContent`;
    await page.until(`Number(${rate}) > 0`);
    await expectClean(page, server);
  }, 60_000);

  test("with 10,000 topics and 2,000 messages a second, of which it shows some and says so", async () => {
    await using server = startTestServer({ TOPICS: NAMES.join(), MAX_SUBSCRIBER_QUEUE: "10000" });
    using page = await Dashboard.open(browser, server, "#/topics/topic-10000");
    await page.until(`document.querySelector(".pace")?.textContent.includes("a second")`);
    const frames = `new Promise((done) => {
      let frames = 0;
      const begun = performance.now();
      const next = () => (frames++, performance.now() - begun < 2000 ? requestAnimationFrame(next) : done(frames));
      next();
    })`;
    const idle = Number(await page.evaluate(frames));
    let isOver = false;
    const flood = (async () => {
      const batch = Array.from({ length: 100 }, (_, n) => ({ n, text: "x".repeat(100) }));
      for (; !isOver; await Bun.sleep(50)) await publish(server, "topic-10000", batch);
    })();
    await page.untilText("Sampled: showing");
    const busy = Number(await page.evaluate(frames));
    const [, shown, arrived] = /Sampled: showing ([\d,]+) of ([\d,]+) a second/.exec(await page.text()) ?? [];
    await page.screenshot("flood");
    isOver = true;
    await flood;
    expect(Number(shown)).toBeLessThan(Number(arrived?.replaceAll(",", "")));
    expect(await page.count(".message")).toBeLessThanOrEqual(200);
    expect(busy).toBeGreaterThan(idle / 10);
    await expectClean(page, server);
  }, 60_000);
});
