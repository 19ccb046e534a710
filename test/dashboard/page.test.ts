import { afterAll, describe, expect, test } from "bun:test";
import { Browser, skipBrowser } from "../support/browser.ts";
import { TestCredentials } from "../support/credentials.ts";
import { publish } from "../support/publish.ts";
import { health, startGuardedServer, startTestServer, stats } from "../support/server.ts";
import { Dashboard, expectClean } from "./dashboard.ts";

describe.skipIf(skipBrowser)("the page", () => {
  const browser = new Browser();
  afterAll(() => browser.close(), 30_000);

  test("creates a topic, publishes, shows what arrives, and deletes it", async () => {
    await using server = startTestServer();
    using page = await Dashboard.open(browser, server);
    await page.untilText("No topics yet");
    await page.click("New topic");
    await page.fill("Name", "a/b c");
    await page.press("Enter");
    await page.until("location.hash === '#/topics/a%2Fb%20c'");
    await page.untilText("No message yet");

    await page.click("Publish");
    await page.fill("Payload, as JSON", '{"n": 1.10');
    await page.untilText("Not JSON");
    expect(await page.evaluate("document.querySelector('.publish button[type=submit]').disabled")).toBe(true);
    await page.type("}");
    await page.untilText("Valid JSON");
    await page.evaluate("document.querySelector('.publish button[type=submit]').click()");
    await page.untilText("Published as 1");
    await page.until(`document.querySelector(".message .payload")?.textContent === '{"n": 1.10}'`);
    expect((await stats(server))["a/b c"]).toMatchObject({ messages: 1 });

    await page.click("History");
    await page.untilText("1 shown. History holds 1 to 1.");
    await page.click("Delete");
    await page.untilText("Its subscribers are told.");
    await page.evaluate("document.querySelector('dialog .danger').click()");
    await page.untilText("No topics yet");
    expect(await stats(server)).toEqual({});
    await expectClean(page, server);
  });

  test("has no script or style inside, and runs under its policy", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    const html = await (await fetch(server.url)).text();
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=/);
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.untilText("No message yet");
    expect(await page.evaluate("[...document.scripts].every(({ src, text }) => src !== '' && text === '')")).toBe(true);
    await page.until(`document.querySelector("canvas") !== null`);
    await expectClean(page, server);
  });

  test("asks for a key, says that one is wrong, and keeps a right one for the tab only", async () => {
    using credentials = new TestCredentials();
    await using server = await startGuardedServer({ ...credentials.env, TOPICS: "t,other" });
    using page = await Dashboard.open(browser, server);
    await page.untilText("This server asks for an API key or a token.");
    await page.fill("Key or token", "psk_wrong");
    await page.press("Enter");
    await page.untilText("The server did not accept this credential.");
    await page.until("document.activeElement.name === 'credential'");
    expect(await page.evaluate("sessionStorage.length")).toBe(0);

    await page.fill("Key or token", credentials.keys.all.key);
    await page.press("Enter");
    await page.untilText("Sign out");
    await page.until(`document.activeElement.matches("main h2")`);
    await page.until(`document.querySelectorAll(".topics tbody a").length === 2`);
    await page.view.reload();
    await page.until(`document.querySelectorAll(".topics tbody a").length === 2`);
    // A link would carry no key: the page asks itself, and shows what it got.
    await page.evaluate("void (open = (url) => (globalThis.opened = url))");
    await page.click("Metrics");
    await page.until(`globalThis.opened?.startsWith("blob:" + location.origin)`);
    expect(await page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]")).toEqual([1, 0, ""]);

    await page.click("Sign out");
    await page.until("document.activeElement.textContent === 'Sign in' && document.activeElement.tagName === 'H2'");
    await page.untilText("This server asks for an API key or a token.");
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
    expect([page.errors, await page.evaluate("forbidden")]).toEqual([[], []]);
  });

  test("shows to a narrow key what it may see", async () => {
    using credentials = new TestCredentials();
    await using server = await startGuardedServer({ ...credentials.env, TOPICS: "t,other" });
    using page = await Dashboard.open(browser, server);
    await page.fill("Key or token", credentials.keys.some.key);
    await page.press("Enter");
    await page.untilText("This credential may not see rates.");
    await page.click("t");
    await page.untilText("No message yet");
    await page.click("Publish");
    await page.click("Live");
    await page.evaluate("document.querySelector('.publish button[type=submit]').click()");
    await page.until(`document.querySelector(".message") !== null`);
    expect(await page.evaluate("document.body.innerText.includes('New topic')")).toBe(false);
    expect(page.errors).toEqual([]);
  });

  test("is used by keyboard alone", async () => {
    await using server = startTestServer({ TOPICS: Array.from({ length: 200 }, (_, i) => `t${1000 + i}`).join() });
    using page = await Dashboard.open(browser, server);
    await page.untilText("t1000");
    for (let i = 0; i < 20 && (await page.focused()) !== "t1000"; i++) await page.press("Tab");
    await page.press("ArrowDown");
    await page.until("document.activeElement.textContent === 't1001'");
    await page.press("End");
    await page.until("document.activeElement.textContent === 't1199'");
    await page.press("Enter");
    await page.until("location.hash === '#/topics/t1199'");
    await page.untilText("No message yet");
    for (let i = 0; i < 20 && (await page.focused()) !== "Live"; i++) await page.press("Tab");
    await page.press("ArrowRight");
    await page.until("location.hash === '#/topics/t1199/subscribers'");
    expect(await page.focused()).toStartWith("Subscribers");
    await page.click("Delete");
    await page.until("document.activeElement.textContent === 'Cancel'");
    await page.press("Escape");
    await page.until("document.querySelector('dialog') === null && document.activeElement.textContent === 'Delete'");
    await expectClean(page, server);
  });

  test("keeps its place on a reload, and goes back", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    using page = await Dashboard.open(browser, server);
    await page.click("t");
    await page.untilText("No message yet");
    await page.click("History");
    await page.untilText("History holds no message");
    await page.view.reload();
    await page.untilText("History holds no message");
    await page.evaluate("history.back()");
    await page.untilText("No message yet");
    expect((await health(server)).topics).toBe(1);
  });

  test("pauses and filters the tail, and shows what came meanwhile", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.until(`document.querySelector(".pace")?.textContent.includes("a second")`);
    await page.click("Pause");
    await publish(server, "t", ["apple", "pear", "apple pie"]);
    await page.untilText("3 newer messages: show");
    expect(await page.count(".message")).toBe(0);
    await page.click("Resume");
    await page.until(`document.querySelectorAll(".message").length === 3`);
    await page.fill("Show only messages that contain this text", "APPLE");
    await page.until(`document.querySelectorAll(".message").length === 2`);
    await publish(server, "t", ["plum", "apple again"]);
    await page.until(`document.querySelectorAll(".message").length === 3`);
    await expectClean(page, server);
  });

  test("opens a message to all that came with it", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const id = "550e8400-e29b-41d4-a716-446655440000";
    const body = JSON.stringify({ id, payload: { a: [1, { b: null }] } });
    await fetch(`${server.url}/topics/t/messages`, { method: "POST", headers: { traceparent }, body });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.until(`document.querySelector(".message summary") !== null`);
    await page.evaluate(`document.querySelector(".message summary").focus()`);
    await page.press("Enter");
    await page.untilText(`under the id ${id}, in the trace ${traceparent}`);
    expect(await page.evaluate(`document.querySelector(".whole pre").textContent`)).toBe(
      JSON.stringify({ a: [1, { b: null }] }, undefined, 2),
    );
    await expectClean(page, server);
  });

  test("lets snippets be copied", async () => {
    await using server = startTestServer();
    using page = await Dashboard.open(browser, server);
    await page.untilText("No topics yet");
    expect(await page.count(".snippet")).toBe(3);
    await page.click("Copy: Subscribe on the command line");
    await page.untilText("Copied");
    expect(await page.text()).toContain(`pubsub sub news --last 10 --url ${server.url}`);
  });
});
