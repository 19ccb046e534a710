import { afterAll, describe, expect, test } from "bun:test";
import { Browser, skipBrowser } from "../support/browser.ts";
import { publish } from "../support/publish.ts";
import { overRedis, RedisServer, withoutRedis } from "../support/redis.ts";
import { startTestServer } from "../support/server.ts";
import { Dashboard, expectClean } from "./dashboard.ts";
import { SilentNode } from "./silent-node.ts";

/** What stands in each row of the list of nodes, by column. */
const NODES = `JSON.stringify([...document.querySelectorAll(".nodes tbody tr")].map((row) =>
  Object.fromEntries([...row.cells].map((cell) => [cell.dataset.label, cell.textContent]))))`;

describe.skipIf(skipBrowser || withoutRedis)("the page of one node of several", () => {
  const browser = new Browser();
  afterAll(() => browser.close(), 30_000);

  test("lists them for as long as there are several, and says which did not tell of a topic's subscribers", async () => {
    const env = { ...overRedis(), TOPICS: "t" };
    const other = startTestServer(env);
    await using own = startTestServer(env);
    using page = await Dashboard.open(browser, own);
    await page.untilText("2 nodes share all topics.");
    await page.untilText("Topics are those of all 2 nodes together.");
    const rows: unknown = JSON.parse(String(await page.evaluate(NODES)));
    const row = (server: { port: number }, mark: string) => ({
      Address: expect.stringMatching(new RegExp(`:${server.port}${mark}$`)),
      Id: expect.stringMatching(/^[0-9a-f]{8}$/),
      Version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      "Running for": expect.stringMatching(/ s$/),
      Connections: expect.stringMatching(/^\d$/),
      Subscriptions: "0",
    });
    expect(rows).toHaveLength(2);
    expect(rows).toContainEqual(row(own, "serves this page"));
    expect(rows).toContainEqual(row(other, ""));
    await other.stop();

    using _silent = await SilentNode.join(env);
    await page.go("#/topics/t/subscribers");
    await page.untilText("1 node did not answer in time. Its subscribers are missing here.");
    await page.untilText("without 1 node");
    await page.screenshot("unanswered");
    await page.go("#/topics/t/ledger");
    await page.until(`document.querySelector(".ledger") !== null`);
    await page.untilText("Its subscribers are missing here.");

    await page.go("#/");
    await page.untilText("Ledger of all events");
    await page.untilNoText("nodes");
    await expectClean(page, own);
  });

  test("says why while Redis is away, goes on by itself, and tells of a new epoch without a gap", async () => {
    await using redis = await RedisServer.start("--appendonly", "yes");
    await using server = startTestServer({ ENGINE: redis.url, ENGINE_TIMEOUT_MS: "300", TOPICS: "t" });
    using page = await Dashboard.open(browser, server, "#/topics/t");
    await publish(server, "t", ["before"]);
    const newest = `document.querySelector(".message .payload")?.textContent`;
    await page.until(`${newest} === '"before"'`);
    await redis.signal("SIGTERM");
    await page.untilText("The engine cannot be reached, and was asked nothing: ");
    await page.untilText("Trying again…");
    await page.until(`document.querySelector(".figures.stale") !== null`);
    expect(await page.evaluate(newest)).toBe('"before"');
    await page.screenshot("engine-away");
    await redis.start();
    await page.untilNoText("Trying again…");
    await page.until(`document.querySelector(".figures.stale") === null`);
    await page.untilText("New epoch: the topic began anew here. Messages that came after 1 in the epoch before may be");
    await publish(server, "t", ["after"]);
    await page.until(`${newest} === '"after"'`);
    await page.screenshot("epoch");
    expect(await page.count(".gap")).toBe(1);
    expect(await page.count(".not-shown")).toBe(0);
    expect(page.errors).toEqual([]);
  });
});
