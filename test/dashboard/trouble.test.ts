import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { topicDetail } from "../support/answers.ts";
import { binary, startBinary } from "../support/binary.ts";
import { Browser, skipBrowser } from "../support/browser.ts";
import { overwhelm, publish, publishLarge } from "../support/publish.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTopic, deleteTopic, startTestServer, stats } from "../support/server.ts";
import { Dashboard, expectClean } from "./dashboard.ts";

/** A small buffer, so that the kernel does not take for a stalled client what the server should. */
const SMALL = { SEND_BUFFER_BYTES: "16384", MAX_HISTORY: "10000" };

describe.skipIf(skipBrowser)("the page", () => {
  const browser = new Browser();
  beforeAll(() => void binary());
  afterAll(() => browser.close(), 30_000);

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

    const gaps = await page.count(".gap");
    await page.click(`Fetch messages ${first} to ${last}`);
    const count = Number(last) - Number(first) + 1;
    await page.untilText(`${Math.min(count, 200)} messages fetched from history.`);
    // What is more stays a gap, above it.
    expect(await page.count(".gap")).toBe(count > 200 ? gaps + 1 : gaps);
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
    await page.untilText("history has");
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
    await page.untilText("The server has this topic no more;");
    await page.click("Create it");
    await page.untilNoText("The server has this topic no more;");
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
    // The way is there again, and what is behind it is not: its own words say more than ours.
    const problem = { type: "about:blank", status: 503, title: "Service Unavailable", code: "UNAVAILABLE" };
    stats = () => Response.json({ ...problem, detail: "The engine refuses: LOADING." }, { status: 503 });
    await page.untilText("The engine refuses: LOADING. Trying again…");
    expect(page.errors).toEqual([]);
    await between.stop(true);
  });

  test("goes on with a topic that was deleted and made again", async () => {
    await using server = startTestServer({ TOPICS: "t,other" });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await page.untilText("No message yet");
    await deleteTopic(server, "t");
    await page.untilText("This topic was deleted at ");
    await createTopic(server, "t");
    await page.untilNoText("This topic was deleted at ");
    await page.untilText("New epoch: the topic began anew here. Messages of the epoch before may be missing.");
    await publish(server, "t", ["again"]);
    await page.until(`document.querySelector(".message .payload")?.textContent === '"again"'`);
    // Too fast for the page to see that it was away.
    await deleteTopic(server, "t");
    await createTopic(server, "t");
    await publish(server, "t", ["once more"]);
    await page.until(`document.querySelector(".message .payload")?.textContent === '"once more"'`);
    expect(page.errors).toEqual([]);
  });
});
