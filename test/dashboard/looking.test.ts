import { afterAll, describe, expect, test } from "bun:test";
import { Browser, skipBrowser } from "../support/browser.ts";
import { TestCredentials } from "../support/credentials.ts";
import { publish } from "../support/publish.ts";
import { createTopic, deleteTopic, startGuardedServer, startTestServer, stats } from "../support/server.ts";
import { Dashboard, expectClean } from "./dashboard.ts";

/** Waits until the page has looked for a topic several times more. */
async function untilLooked(page: Dashboard, topic: string): Promise<void> {
  const looks = () => page.requests.filter((url) => url.includes(`/topics/${topic}`)).length;
  const before = looks();
  while (looks() < before + 3) await Bun.sleep(50);
}

describe.skipIf(skipBrowser)("looking at a topic", () => {
  const browser = new Browser();
  afterAll(() => browser.close(), 30_000);

  test("never creates it, where a server creates what is subscribed to", async () => {
    await using server = startTestServer({ AUTO_CREATE_TOPICS: "true", TOPICS: "t" });
    using page = await Dashboard.open(browser, server, "#/topics/typo");
    await page.untilText("The server has no topic of this name.");
    await untilLooked(page, "typo");
    expect(Object.keys(await stats(server))).toEqual(["t"]);

    await page.go("#/topics/t");
    await page.untilText("No message yet");
    await publish(server, "t", ["before"]);
    await page.until(`document.querySelector(".message .payload")?.textContent === '"before"'`);
    await deleteTopic(server, "t");
    await page.untilText("This topic was deleted at ");
    await untilLooked(page, "t");
    expect(await stats(server)).toEqual({});

    await createTopic(server, "t");
    await page.untilNoText("This topic was deleted");
    await publish(server, "t", ["after"]);
    await page.until(`document.querySelector(".message .payload")?.textContent === '"after"'`);
    await page.untilText(
      "New epoch: the topic began anew here. Messages that came after 1 in the epoch before may be missing.",
    );
    expect(page.errors).toEqual([]);
  }, 60_000);

  test("never creates it when a server comes back without it", async () => {
    const first = startTestServer({ AUTO_CREATE_TOPICS: "true", TOPICS: "t" });
    using page = await Dashboard.open(browser, first, "#/topics/t");
    await page.untilText("No message yet");
    await first.stop();
    await page.untilText("Trying again…");
    await using second = startTestServer({ AUTO_CREATE_TOPICS: "true", PORT: String(first.port) });
    await page.untilText("The server has this topic no more; it was there at ");
    await untilLooked(page, "t");
    expect(await stats(second)).toEqual({});
  }, 60_000);

  test("without the right to see it says that, and nothing else", async () => {
    using credentials = new TestCredentials();
    await using server = await startGuardedServer({ ...credentials.env, TOPICS: "t,other" });
    using page = await Dashboard.open(browser, server, "#/topics/other");
    await page.signIn(credentials.keys.some.key);
    await page.untilText("This credential may not see a topic of this name, if there is one.");
    expect(await page.text()).not.toContain("The server has no topic");
    expect(await page.count("[role=tab]")).toBe(0);

    await page.click("Publish");
    await page.evaluate("document.querySelector('.publish button[type=submit]').click()");
    await page.untilText("This credential may not publish here.");
    await page.go("#/topics/t");
    await page.untilText("No message yet");
    expect(await page.evaluate(`[...document.querySelectorAll("[role=tab]")].map((tab) => tab.innerText).join()`)).toBe(
      "Live,History",
    );
    expect(await page.text()).not.toMatch(/Metrics|New topic|Delete/);
    expect(page.errors).toEqual([]);
  });

  test("with a key for figures alone shows these, and that it may not read", async () => {
    using credentials = new TestCredentials();
    await using server = await startGuardedServer({ ...credentials.env, TOPICS: "t" });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.signIn(await credentials.token({}, { admin: true, publish: [], subscribe: [] }));
    await page.untilText("This credential may not read the messages of this topic.");
    expect(await page.text()).not.toContain("No message yet");
    expect(await page.count("[role=tab]")).toBe(3);
    expect(page.errors).toEqual([]);
  });

  test("counts no replay as rate, and none at all while it is paused", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    await publish(server, "t", Array(60).fill("replayed"));
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.evaluate(`(() => {
      globalThis.paces = new Set();
      setInterval(() => paces.add(document.querySelector(".pace")?.textContent), 20);
    })()`);
    await page.until(`document.querySelectorAll(".message").length === 50`);
    await publish(server, "t", ["new"]);
    await page.until(`[...paces].some((pace) => pace?.startsWith("1 message "))`);
    const paces = `[...paces].filter((pace) => pace !== undefined && pace !== "Connecting").sort().join("; ")`;
    expect(await page.evaluate(paces)).toBe("0 messages a second; 1 message a second");
    await page.click("Pause");
    await page.until(`document.querySelector(".pace").textContent === "Paused"`);
    await page.click("Resume");
    await page.fill("Show only messages that contain this text", "nothing has this");
    await page.untilText("No message matches the filter.");
    await page.untilText("0 matches a second");
    await expectClean(page, server);
  });
});
