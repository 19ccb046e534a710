import { afterAll, describe, expect, test } from "bun:test";
import { eventRow, MOST_SHOWN } from "../../src/dashboard/rows.ts";
import { publishBody } from "../support/answers.ts";
import { Browser, skipBrowser } from "../support/browser.ts";
import { Client } from "../support/client.ts";
import { TestCredentials } from "../support/credentials.ts";
import { startGuardedServer, startTestServer } from "../support/server.ts";
import { Dashboard, expectClean } from "./dashboard.ts";

test("eventRow keeps so much of a payload as is shown", () => {
  const event = { type: "event", topic: "t", epoch: "e", seq: 1, ts: "", id: "" } as const;
  const whole = "€".repeat(MOST_SHOWN);
  expect(eventRow({ ...event, payload: whole }).event.payload).toBe(whole);
  expect(eventRow({ ...event, payload: `${whole}€€` }).event.payload).toBe(`${whole}…`);
});

describe.skipIf(skipBrowser)("the page", () => {
  const browser = new Browser();
  afterAll(() => browser.close(), 30_000);

  test("opens a message that is nested more deeply than can be written", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
    await publishBody(server, "t", `{"payload": ${deep}}`);
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.until(`document.querySelector(".message summary") !== null`);
    await page.evaluate(`document.querySelector(".message summary").click()`);
    await page.until(`document.querySelector(".message pre")?.textContent === ${JSON.stringify(deep)}`, "the payload");
    await expectClean(page, server);
  });

  test("says of a large message that it has the beginning only", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    await publishBody(server, "t", { payload: "x".repeat(MOST_SHOWN) });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.until(`document.querySelector(".message summary") !== null`);
    await page.evaluate(`document.querySelector(".message summary").click()`);
    await page.untilText("Only its first 100,000 characters are kept here");
    await expectClean(page, server);
  });

  test("shows all of history, though the server makes several answers of it", async () => {
    await using server = startTestServer({ TOPICS: "t", MAX_HISTORY: "100" });
    for (let i = 0; i < 60; i++) await publishBody(server, "t", { payload: `${i} ${"x".repeat(400_000)}` });
    using page = await Dashboard.open(browser, server, "#/topics/t/history");
    await page.untilText("50 shown. History holds 1 to 60.");
    await page.click("Older messages");
    await page.untilText("60 shown. History holds 1 to 60.");
    const shown = await page.evaluate(
      `[...document.querySelectorAll(".history .seq")].map(({ textContent }) => textContent)`,
    );
    expect(shown).toEqual(Array.from({ length: 60 }, (_, i) => String(60 - i)));
    await expectClean(page, server);
  });

  test("keeps no more of large messages than it shows", async () => {
    await using server = startTestServer({ TOPICS: "t", MAX_HISTORY: "1" });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.untilText("No message yet");
    for (let i = 0; i < 60; i++) await publishBody(server, "t", { payload: "x".repeat(1_000_000) });
    await page.until(`document.querySelector(".message .seq")?.textContent === "60"`, "the last message");
    await page.view.cdp("HeapProfiler.collectGarbage");
    const { backingStorageSize = Number.NaN } = await page.view.cdp<{ backingStorageSize?: number }>(
      "Runtime.getHeapUsage",
    );
    expect(backingStorageSize).toBeLessThan(30_000_000);
  });

  test("says of what is unflushed that it is, and not that it is queued", async () => {
    await using server = startTestServer({ TOPICS: "t", FLUSH_INTERVAL_MS: "60000" });
    await using client = await Client.connect(server);
    await client.subscribe("t", "me");
    await publishBody(server, "t", { messages: [{ payload: 1 }, { payload: 2 }] });
    using page = await Dashboard.open(browser, server, "#/topics/t/subscribers");
    const cell = (label: string) =>
      `[...document.querySelectorAll("tr")].find(({ textContent }) => textContent.startsWith("me"))` +
      `?.querySelector('[data-label="${label}"]')?.textContent`;
    await page.until(`${cell("Unflushed")} === "2"`);
    expect(await page.evaluate(cell("Queued"))).toBe("0");
    expect(await page.text()).not.toContain("lagging");
  });

  test("says why a topic named .. cannot be shown", async () => {
    await using server = startTestServer({ TOPICS: ".." });
    using page = await Dashboard.open(browser, server, "#/topics/..");
    await page.untilText("No address leads to a topic of this name");
    await expectClean(page, server);
  });

  test("says of a credential that no header can carry that it is none", async () => {
    using credentials = new TestCredentials();
    await using server = await startGuardedServer(credentials.env);
    using page = await Dashboard.open(browser, server);
    await page.untilText("This server asks for an API key or a token.");
    await page.signIn("key€");
    await page.untilText("has letters, digits and signs of ASCII only");
    await page.signIn(credentials.keys.all.key);
    await page.untilText("Sign out");
  });
});
