import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { topicDetail } from "../support/answers.ts";
import { binary, startBinary } from "../support/binary.ts";
import { Browser, skipBrowser } from "../support/browser.ts";
import { TestCredentials } from "../support/credentials.ts";
import { overwhelm, publish, publishLarge } from "../support/publish.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTopic, deleteTopic, health, startGuardedServer, startTestServer, stats } from "../support/server.ts";
import { Dashboard } from "./dashboard.ts";

/** A small buffer, so that the kernel does not take for a stalled client what the server should. */
const SMALL = { SEND_BUFFER_BYTES: "16384", MAX_HISTORY: "10000" };

/** What must be so in each test that has no failure on purpose. */
async function expectClean(page: Dashboard, server: { url: string }): Promise<void> {
  expect([page.errors, page.failures, await page.evaluate("forbidden")]).toEqual([[], [], []]);
  const { host } = new URL(server.url);
  const elsewhere = page.requests.filter(
    (url) => !url.startsWith("data:") && url !== "about:blank" && new URL(url).host !== host,
  );
  expect(elsewhere).toEqual([]);
}

describe.skipIf(skipBrowser)("the page", () => {
  const browser = new Browser();
  beforeAll(() => void binary());
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
    await page.untilText("This cannot be undone");
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

  test("shows a stalled subscriber's backlog and drops, while they last", async () => {
    await using server = startTestServer({ ...SMALL, TOPICS: "t" });
    const stalled = await RawClient.subscribe(server, "stalled");
    await overwhelm(server, "t", "stalled");
    using page = await Dashboard.open(browser, server, "#/topics/t/subscribers");
    await page.untilText("lagging");
    const { subscribers } = await topicDetail(server, "t");
    const { queued, dropped } = subscribers.find(({ client_id }) => client_id === "stalled") ?? {};
    const cell = (label: string) =>
      `[...document.querySelectorAll("tbody tr")].find((row) => row.textContent.startsWith("stalled"))?.querySelector("[data-label=${label}]").textContent`;
    await page.until(`${cell("Queued")} === "${queued}" && ${cell("Dropped")} === "${dropped}"`);
    await page.untilText("this page");
    await page.until(`${cell("Address")} === "127.0.0.1"`);
    stalled.cut();
    await page.until(`${cell("Queued")} === undefined`);
    await expectClean(page, server);
  });

  test("shows for the server, a topic and a subscriber that every event is accounted for", async () => {
    await using server = startTestServer({ ...SMALL, TOPICS: "t" });
    const stalled = await RawClient.subscribe(server, "stalled");
    await overwhelm(server, "t", "stalled");
    using page = await Dashboard.open(browser, server, "#/topics/t/subscribers");
    await page.until(`document.querySelectorAll("[aria-label=Balances]").length === 2`);
    const sums = `[...document.querySelectorAll(".sum dd")].map((sum) => Number(sum.textContent.replace(/[^0-9]/g, "")))`;
    const drops = `document.querySelector(".reasons tbody").innerText.trim().split(/\\s{2,}|\\t/).join(": ")`;
    await page.go("#/topics/t/ledger");
    // The page itself subscribes, and has a backlog until it has read what it asked for.
    const isBehind = async () =>
      (await topicDetail(server, "t")).subscribers.some((one) => one.client_id !== "stalled" && one.queued > 0);
    while (await isBehind()) await Bun.sleep(10);
    const { ledger } = await topicDetail(server, "t");
    const lost = Object.values(ledger.dropped).reduce((sum, count) => sum + count, 0);
    const expected = JSON.stringify([ledger.due, ledger.delivered, lost, ledger.queued, ledger.unflushed]);
    await page.until(
      `document.querySelector(".sum") !== null && JSON.stringify(${sums}) === ${JSON.stringify(expected)}`,
    );
    expect(await page.evaluate(drops)).toBe(`queue full: ${ledger.dropped["queue_full"]}`);
    expect(await page.evaluate(`document.querySelector(".ledger .mark").textContent`)).toBe("Balances");
    await page.go("#/");
    await page.until(
      `document.querySelector("section[aria-label='Ledger of all events'] .mark")?.textContent === "Balances"`,
    );
    await page.until(`${sums}[0] === ${ledger.due}`);
    stalled.cut();
    await expectClean(page, server);
  });

  test("shows a gap where it happened, and fetches it from history", async () => {
    await using server = startTestServer({ ...SMALL, TOPICS: "t,other", MAX_SUBSCRIBER_QUEUE: "5" });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.untilText("No message yet");
    await page.until(`document.querySelector(".pace").textContent.includes("a second")`);
    // A request that the page waits for keeps it from reading, until its topic is gone and its stream ends.
    const wait = `(() => { const asked = new XMLHttpRequest(); asked.open("GET", "topics/other/events", false); asked.send(); })()`;
    const stalled = page.evaluate(wait);
    while ((await stats(server))["other"]?.subscribers !== 1) await Bun.sleep(10);
    const [{ client_id = "" } = {}] = (await topicDetail(server, "t")).subscribers;
    await overwhelm(server, "t", client_id, 5);
    await deleteTopic(server, "other");
    await stalled;
    await publish(server, "t", ["the end"]);
    await page.until(`document.querySelector(".message .payload")?.textContent === '"the end"'`);
    await page.until(`document.querySelector(".gap") !== null`);
    // It stands between its neighbours: newest first, the one above has the seq after it.
    const [, first = "", last = ""] =
      /Gap of [\d,]+ messages, (\d+) to (\d+): this page did not take them in time/.exec(await page.text()) ?? [];
    const above = await page.evaluate(
      `document.querySelector("li:has(.gap)").previousElementSibling.querySelector(".seq").textContent`,
    );
    expect(Number(above)).toBe(Number(last) + 1);

    await page.click(`Fetch messages ${first} to ${last}`);
    const count = Number(last) - Number(first) + 1;
    await page.untilText(`${Math.min(count, 200)} messages fetched from history.`);
    expect(await page.evaluate(`document.querySelector(".found .message:first-child .seq").textContent`)).toBe(
      String(Math.min(Number(last), Number(first) + 199)),
    );
    await page.screenshot("gap");
    await expectClean(page, server);
  }, 60_000);

  test("says which messages of a gap history has no more", async () => {
    await using server = startTestServer({ ...SMALL, TOPICS: "t,other", MAX_SUBSCRIBER_QUEUE: "5", MAX_HISTORY: "8" });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.until(`document.querySelector(".pace")?.textContent.includes("a second")`);
    const stalled = page.evaluate(
      `(() => { const asked = new XMLHttpRequest(); asked.open("GET", "topics/other/events", false); asked.send(); })()`,
    );
    while ((await stats(server))["other"]?.subscribers !== 1) await Bun.sleep(10);
    const [{ client_id = "" } = {}] = (await topicDetail(server, "t")).subscribers;
    await overwhelm(server, "t", client_id, 20);
    await publishLarge(server, "t", 10);
    await deleteTopic(server, "other");
    await stalled;
    await page.until(`document.querySelector(".gap button")?.click() ?? document.querySelector(".gap") !== null`);
    await page.untilText("of them no more");
    await expectClean(page, server);
  }, 60_000);

  test("of the executable recovers by itself when the server is killed and comes back", async () => {
    const first = await startBinary({ TOPICS: "t" });
    using page = await Dashboard.open(browser, first, "#/topics/t");
    await page.untilText("No message yet");
    first.process.kill("SIGKILL");
    await first.process.exited;
    await page.untilText("The server does not answer. Trying again…");
    await using second = await startBinary({ PORT: String(first.port) });
    await page.untilText("Connected");
    await page.untilNoText("Trying again");
    await page.untilText("The server has no topic of this name.");
    await page.click("Create it");
    await page.untilNoText("The server has no topic of this name.");
    await publish(second, "t", ["after"]);
    await page.until(`document.querySelector(".message .payload")?.textContent === '"after"'`);
    expect(page.errors).toEqual([]);
  }, 60_000);

  test("says that the server shuts down, and goes on with its successor", async () => {
    const first = startTestServer({ ...SMALL, TOPICS: "t", SHUTDOWN_GRACE_MS: "3600000" });
    using page = await Dashboard.open(browser, first);
    await page.untilText("Connected");
    const stalled = await RawClient.subscribe(first, "stalled");
    await overwhelm(first, "t", "stalled");
    const stopped = first.stop();
    await page.untilText("The server is shutting down.");
    stalled.cut();
    await stopped;
    await page.untilText("Trying again…");
    await using second = startTestServer({ PORT: String(first.port), TOPICS: "successor" });
    await page.untilText("successor");
    await page.untilText("Connected");
    expect([second.port, page.errors]).toEqual([first.port, []]);
  }, 60_000);

  test("says what is wrong where something else answers for the server", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    let stats = () => new Response("<h1>Oops</h1>", { status: 500 });
    const between = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      routes: { "/stats": () => stats() },
      fetch: (request) => fetch(server.url + new URL(request.url).pathname, { decompress: false }),
    });
    const url = between.url.origin;
    using page = await Dashboard.open(browser, { url });
    await page.untilText("The server answered 500. Trying again…");
    stats = () => new Response("<h1>Bad gateway</h1>", { status: 502 });
    await page.untilText("The server does not answer. Trying again…");
    expect(page.errors).toEqual([]);
    await between.stop(true);
  });

  test("asks for a key, says that one is wrong, and keeps a right one for the tab only", async () => {
    using credentials = new TestCredentials();
    await using server = await startGuardedServer({ ...credentials.env, TOPICS: "t,other" });
    using page = await Dashboard.open(browser, server);
    await page.untilText("This server asks for an API key or a token.");
    await page.fill("Key or token", "psk_wrong");
    await page.press("Enter");
    await page.untilText("The server refused it.");
    expect(await page.evaluate("sessionStorage.length")).toBe(0);

    await page.fill("Key or token", credentials.keys.all.key);
    await page.press("Enter");
    await page.untilText("Sign out");
    await page.until(`document.querySelectorAll(".topics tbody a").length === 2`);
    await page.view.reload();
    await page.until(`document.querySelectorAll(".topics tbody a").length === 2`);
    // A link would carry no key: the page asks itself, and shows what it got.
    await page.evaluate("void (open = (url) => (globalThis.opened = url))");
    await page.click("Metrics");
    await page.until(`globalThis.opened?.startsWith("blob:" + location.origin)`);
    expect(await page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]")).toEqual([1, 0, ""]);

    await page.click("Sign out");
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
    await page.click("Subscribers");
    await page.untilText("This credential may not see subscribers.");
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

  test("goes on with a topic that was deleted and made again", async () => {
    await using server = startTestServer({ TOPICS: "t,other" });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.untilText("No message yet");
    await deleteTopic(server, "t");
    await page.untilText("The server has no topic of this name.");
    await createTopic(server, "t");
    await page.untilNoText("The server has no topic of this name.");
    await publish(server, "t", ["again"]);
    await page.until(`document.querySelector(".message .payload")?.textContent === '"again"'`);
    // Too fast for the page to see that it was away.
    await deleteTopic(server, "t");
    await createTopic(server, "t");
    await publish(server, "t", ["once more"]);
    await page.until(`document.querySelector(".message .payload")?.textContent === '"once more"'`);
    expect(page.errors).toEqual([]);
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
