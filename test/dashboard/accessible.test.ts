import { afterAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { Browser, skipBrowser } from "../support/browser.ts";
import { Client } from "../support/client.ts";
import { TestCredentials } from "../support/credentials.ts";
import { overwhelm, publish } from "../support/publish.ts";
import { RawClient } from "../support/raw-client.ts";
import { overRedis, withoutRedis } from "../support/redis.ts";
import { startGuardedServer, startTestServer } from "../support/server.ts";
import { Dashboard } from "./dashboard.ts";

/** Checked by its text: the policy of the page lets no script in but the page's own. */
const AXE = await Bun.file(Bun.resolveSync("axe-core/axe.min.js", import.meta.dir)).text();

const found = z.array(z.object({ id: z.string(), nodes: z.array(z.string()) }));

const LOOKS = [
  ["light", 1280, 800],
  ["dark", 1280, 800],
  ["light", 390, 844],
  ["dark", 390, 844],
] as const;

/** Has axe-core look at the page, light, dark and as wide as a phone, and takes a picture of each. */
async function expectAccessible(page: Dashboard, name: string): Promise<void> {
  await page.evaluate(`(() => { ${AXE}; })()`);
  for (const [scheme, width, height] of LOOKS) {
    await page.scheme(scheme);
    await page.size(width, height);
    const violations = await page.evaluate(
      `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html, failureSummary }) => html + failureSummary) })))`,
    );
    expect(found.parse(violations), `${name}, ${scheme}, ${width}`).toEqual([]);
    const isTooWide = await page.evaluate(
      "document.documentElement.scrollWidth > document.documentElement.clientWidth",
    );
    expect(isTooWide, `${name} is wider than ${width}`).toBe(false);
    await page.screenshot(`${name}-${width < 600 ? "phone-" : ""}${scheme}`);
  }
  await page.scheme("light");
  await page.size(1280, 800);
}

const TOPICS = [
  "alerts",
  "audit",
  "camera/front-door",
  "chat:lobby",
  "invoices",
  "jobs",
  "news",
  "orders",
  "prices",
  "t",
];
const LONG = "telemetry.sensors.building-7.floor-3.temperature-and-humidity.raw";

/** Something that happens in every topic, so that there is something to see. */
async function publishSome(server: { url: string }, round: number): Promise<void> {
  const status = ["created", "paid", "packed", "shipped"][round % 4];
  const order = {
    id: 1000 + round,
    status,
    amount: 12.5 * (1 + (round % 9)),
    customer: { name: "Ada", city: "London" },
  };
  const wave = Math.round(6 + 5 * Math.sin(round / 4));
  await publish(server, "orders", Array<object>(wave).fill(order));
  await publish(
    server,
    "prices",
    Array.from({ length: 3 }, (_, i) => ({ symbol: "ABC", price: 100 + round + i / 10 })),
  );
  if (round % 3 === 0)
    await publish(server, "news", [{ headline: "All the news of the day, and more of it. ".repeat(9) }]);
}

describe.skipIf(skipBrowser)("axe-core finds nothing", () => {
  const browser = new Browser();
  afterAll(() => browser.close(), 30_000);

  test("on an empty server", async () => {
    await using server = startTestServer();
    using page = await Dashboard.open(browser, server);
    await page.untilText("No topics yet");
    await expectAccessible(page, "empty");
    await page.click("New topic");
    await page.untilText("Create a topic");
    await expectAccessible(page, "create");
  }, 60_000);

  test("while it asks for a key", async () => {
    using credentials = new TestCredentials();
    await using server = await startGuardedServer(credentials.env);
    using page = await Dashboard.open(browser, server);
    await page.fill("Key or token", "psk_wrong");
    await page.press("Enter");
    await page.untilText("The server did not accept this credential.");
    await expectAccessible(page, "sign-in");
  }, 60_000);

  test("in the list, and in each part of a topic", async () => {
    const topics = [...TOPICS, LONG].join();
    await using server = startTestServer({ TOPICS: topics, SEND_BUFFER_BYTES: "16384", MAX_HISTORY: "1000" });
    const clients = await Promise.all([1, 2, 3].map(() => Client.connect(server)));
    for (const [i, name] of ["billing", "warehouse-eu-1", "analytics"].entries())
      await clients[i]?.subscribe("orders", name);
    const stalled = await RawClient.subscribe(server, "stalled");
    using page = await Dashboard.open(browser, server, "#/topics/orders");
    // The pictures need something to show; nothing else is waited for here.
    const rounds = process.env["PUBSUB_SCREENSHOTS"] === undefined ? 6 : 120;
    for (let round = 0; round < rounds; round++) {
      await publishSome(server, round);
      await Bun.sleep(200);
    }
    await page.until(`document.querySelectorAll(".message").length > 5`);
    await page.screenshot("dashboard");
    await expectAccessible(page, "topic");
    await page.click("Publish");
    await page.fill("Payload, as JSON", "{");
    await page.untilText("Not JSON");
    await expectAccessible(page, "publish");
    await page.go("#/topics/news/history");
    await page.untilText("History holds 1 to");
    await page.evaluate(`document.querySelector(".message summary").click()`);
    await page.untilText("under the id");
    await expectAccessible(page, "history");
    await page.click("Delete");
    await page.untilText("Its subscribers are told.");
    await expectAccessible(page, "delete");
    await page.press("Escape");
    await overwhelm(server, "t", "stalled");
    await page.go("#/topics/t/subscribers");
    await page.untilText("lagging");
    await expectAccessible(page, "subscribers");
    await page.go(`#/topics/t/ledger`);
    await page.until(`document.querySelector("[role=tabpanel]").textContent !== "Loading"`);
    await expectAccessible(page, "ledger");
    await page.go(`#/topics/${LONG}`);
    await page.untilText("No message yet");
    await expectAccessible(page, "long-name");
    await page.go(`#/topics/none`);
    await page.untilText("The server has no topic of this name.");
    await expectAccessible(page, "missing");
    await page.go("#/connect");
    await page.untilText("How to connect");
    await expectAccessible(page, "connect");
    await page.go("#/");
    await page.untilText("Server");
    await expectAccessible(page, "list");
    stalled.cut();
    await Promise.all(clients.map((client) => client.close()));
  }, 120_000);

  test.skipIf(withoutRedis)(
    "in a list of nodes",
    async () => {
      const env = { ...overRedis(), TOPICS: TOPICS.join() };
      await using server = startTestServer(env);
      await using _other = startTestServer(env);
      using page = await Dashboard.open(browser, server);
      await page.untilText("2 nodes share all topics.");
      await expectAccessible(page, "nodes");
    },
    60_000,
  );

  test("while the server is away", async () => {
    const server = startTestServer({ TOPICS: TOPICS.join() });
    using page = await Dashboard.open(browser, server);
    await page.untilText("Connected");
    await server.stop();
    await page.untilText("Trying again");
    await expectAccessible(page, "disconnected");
  }, 60_000);
});
