import { expect, test } from "bun:test";
import { TRANSPORTS, type Transport } from "../../../src/protocol/frames.ts";
import { CLOSE } from "../../../src/protocol/codes.ts";
import { range, seqsOf } from "../../support/account.ts";
import { metrics, until, untilNothingIsLeft } from "../../support/stats.ts";
import { topicDetail } from "../../support/answers.ts";
import { goodbye } from "../../support/goodbye.ts";
import { overwhelm, publish, publishLarge } from "../../support/publish.ts";
import { createTopic, deleteTopic, type EngineOver, health, startTestServer, stats } from "../../support/server.ts";
import { Subscriber } from "../../support/subscriber.ts";

export function countsContract(transport: Transport, engine: EngineOver): void {
  test("it counts for as long as it is connected, whether it reads or not", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    using reading = await Subscriber.open(server, transport, { topic: "t", clientId: "reading" });
    using stalled = await Subscriber.open(server, transport, { topic: "t", clientId: "stalled", stalled: true });
    await overwhelm(server, "t", "stalled");
    const counts = async () => {
      const listed = await (await fetch(`${server.url}/topics`)).json();
      const { subscribers } = await health(server);
      const connections = (await metrics(server)).get(`pubsub_connections{transport="${transport}"}`);
      return { listed, stats: (await stats(server))["t"]?.subscribers, subscribers, connections };
    };
    const all = (count: number) => ({
      listed: { topics: [{ name: "t", subscribers: count }] },
      stats: count,
      subscribers: count,
      connections: count,
    });
    expect(await counts()).toEqual(all(2));
    stalled.cut();
    await until(async () => (await health(server)).subscribers < 2);
    expect(await counts()).toEqual(all(1));
    reading.cut();
    await until(async () => (await health(server)).subscribers < 1);
    expect(await counts()).toEqual(all(0));
  });

  for (const first of TRANSPORTS) {
    test(`it is one too many where ${first} has taken the last of MAX_CONNECTIONS`, async () => {
      await using server = startTestServer({ MAX_CONNECTIONS: "1" }, engine);
      await createTopic(server, "t");
      using taken = await Subscriber.open(server, first, { topic: "t", clientId: "first" });
      using refused = await Subscriber.open(server, transport, { topic: "t", clientId: "second" });
      expect(await refused.next()).toMatchObject({
        kind: "refused",
        code: "LIMIT_EXCEEDED",
        problem: expect.stringContaining("MAX_CONNECTIONS is 1"),
        ...(transport === "sse" ? { status: 429 } : {}),
      });
      if (transport === "websocket") expect(await refused.ended).toEqual({ how: "closed", ...CLOSE.limitExceeded });
      expect(await health(server)).toMatchObject({ subscribers: 1 });
      taken.cut();
      await until(async () => (await health(server)).subscribers === 0);
      using next = await Subscriber.open(server, transport, { topic: "t", clientId: "third" });
      expect(await next.next()).toMatchObject({ kind: "subscribed" });
    });
  }

  test("nothing is left over of any that is gone, however it went", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    await publishLarge(server, "t", 100);
    const wish = (clientId: string) => ({ topic: "t", clientId, lastN: 100 });
    const stall = (clientId: string) => Subscriber.open(server, transport, { ...wish(clientId), stalled: true });
    using cut = await stall("cut");
    using read = await stall("read");
    using replaced = await stall("replaced");
    using deleted = await stall("deleted");
    const { seq } = await publish(server, "t", Array(200).fill("overwrites what their replay is read from"));
    // What they wait for is pinned, beside the log.
    const pinned = async () => {
      return (
        ((await metrics(server)).get("pubsub_history_bytes") ?? 0) - (await topicDetail(server, "t")).history.bytes
      );
    };
    const all = await pinned();
    expect(all).toBeGreaterThan(5_000_000);

    cut.cut();
    await until(async () => (await pinned()) < all);
    read.resume();
    expect(seqsOf(await read.takeUntil(seq))).toEqual([...range(1, 100), ...range(seq - 49, seq)]);
    read.cut();
    using taker = await Subscriber.open(server, transport, { topic: "t", clientId: "replaced" });
    taker.cut();
    replaced.cut();
    await until(async () => (await health(server)).subscribers === 1);
    expect(await pinned()).toBeGreaterThan(0);
    await deleteTopic(server, "t");
    deleted.resume();
    expect(await deleted.ended).toEqual(goodbye(transport, CLOSE.topicDeleted));
    await untilNothingIsLeft(server, []);
    expect(server.lines).toEqual([]);
  });
}
