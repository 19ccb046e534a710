import { afterAll, describe, expect, test } from "bun:test";
import { Browser, skipBrowser } from "../support/browser.ts";
import { TestCredentials } from "../support/credentials.ts";
import { publish } from "../support/publish.ts";
import { createTopic, startGuardedServer, startTestServer } from "../support/server.ts";
import { Dashboard, expectClean } from "./dashboard.ts";

/** Names of the list, in its order. */
const LIST = `[...document.querySelectorAll(".topics tbody a")].map(({ textContent }) => textContent).join()`;

describe.skipIf(skipBrowser)("the page", () => {
  const browser = new Browser();
  afterAll(() => browser.close(), 30_000);

  test("keeps the focus where one goes on, and gives it to the heading where that is gone", async () => {
    await using server = startTestServer({ TOPICS: "a,z" });
    using page = await Dashboard.open(browser, server);
    await page.untilText("Rates sampled");
    await page.click("New topic");
    await page.fill("Name", "new");
    await page.press("Enter");
    await page.until(`document.activeElement.matches("main h2") && document.activeElement.textContent === "new"`);
    await page.until(`document.querySelector(".topics tbody a[tabindex='0']")?.textContent === "new"`);

    await page.click("Publish");
    await page.until(`document.activeElement.tagName === "TEXTAREA"`);
    await page.press("Escape");
    await page.until(`document.activeElement.textContent === "Publish" && document.querySelector(".publish") === null`);

    await page.click("Delete");
    await page.untilText("Its subscribers are told.");
    await page.evaluate("document.querySelector('dialog .danger').click()");
    await page.until(`document.activeElement.matches("main h2") && document.activeElement.textContent === "Server"`);
    await expectClean(page, server);
  });

  test("says that a key was taken back", async () => {
    using credentials = new TestCredentials();
    await using server = await startGuardedServer({ ...credentials.env, TOPICS: "t" });
    using page = await Dashboard.open(browser, server);
    await page.signIn(credentials.keys.all.key);
    await page.untilText("Connected");
    await page.untilText("Rates sampled");
    credentials.writeKeys(["some"]);
    await server.reload();
    await page.untilText("This credential is no longer accepted. Sign in again.");
    await page.until("document.activeElement.name === 'credential'");
    expect(page.errors).toEqual([]);
  });

  test("says how long a name may be, and how long it is", async () => {
    await using server = startTestServer();
    using page = await Dashboard.open(browser, server);
    await page.click("New topic");
    await page.fill("Name", "x".repeat(256));
    await page.press("Enter");
    await page.untilText("must be 1 to 255 UTF-8 bytes");
    await page.untilText("This one has 256 bytes.");
  });

  test("shows names in their natural order, and what in them one cannot see", async () => {
    await using server = startTestServer({ TOPICS: "t10,t2,t1" });
    for (const name of [" a ", "b\u202Etxt", "c\u00a0d"]) await createTopic(server, name);
    using page = await Dashboard.open(browser, server, `#/topics/${encodeURIComponent("b\u202Etxt")}`);
    await page.untilText("t10");
    expect(await page.evaluate(LIST)).toBe("␣a␣,b‹U+202E›txt,c‹U+00A0›d,t1,t2,t10");
    expect(await page.evaluate(`document.querySelector("main h2").textContent`)).toBe("b‹U+202E›txt");
    expect(await page.evaluate("document.title")).toBe("b‹U+202E›txt · Pub/sub");
    await expectClean(page, server);
  });

  test("corrects an address that means nothing", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    using page = await Dashboard.open(browser, server, "#/nowhere");
    await page.until("location.hash === '#/'");
    await page.untilText("Ledger of all events");
    await page.go("#/topics/t/nothing");
    await page.until("location.hash === '#/topics/t'");
    await page.untilText("No message yet");
    await page.click("How to connect");
    await page.untilText("Subscribe in a web page");
    await expectClean(page, server);
  });

  test("shows no rate as current while the server is away", async () => {
    const server = startTestServer({ TOPICS: "t" });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    const legend = `document.querySelector(".legend strong")?.textContent`;
    const figure = `document.querySelector(".topics .figure")?.textContent`;
    await page.until(`${legend} === "0" && ${figure} === "0"`);
    await server.stop();
    await page.until(`${legend} === "–" && ${figure} === "–"`);
    expect(await page.count(".figures.stale")).toBe(1);
  });

  test("has one scrollbar at most, and messages soon on a phone", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.size(1280, 850);
    await publish(server, "t", Array(50).fill("x"));
    await page.until(`document.querySelectorAll(".message").length === 50`);
    await page.until(`document.querySelector("canvas") !== null`);
    await page.click("Publish");
    const isScrolling = `((element) => element.scrollHeight > element.clientHeight)`;
    await page.until(`document.querySelector(".publish") !== null`);
    expect(await page.evaluate(`${isScrolling}(document.querySelector("main"))`)).toBe(false);
    await page.press("Escape");
    await page.size(390, 844);
    await page.until(`document.querySelector(".messages").getBoundingClientRect().top < 844 / 2`);
    expect(await page.evaluate(`${isScrolling}(document.querySelector(".messages"))`)).toBe(true);
    await expectClean(page, server);
  });

  test("says that it is among the subscribers itself, and copies a message", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.untilText("only this page");
    await publish(server, "t", [{ a: 1 }]);
    await page.until(`document.querySelector(".message summary") !== null`);
    await page.evaluate(`document.querySelector(".message summary").click()`);
    await page.click("Copy message 1");
    await page.untilText("Copied");
    await expectClean(page, server);
  });
});
