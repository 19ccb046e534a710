import { expect, test } from "bun:test";
import type { Transport } from "../../../src/protocol/frames.ts";
import { CLOSE } from "../../../src/protocol/codes.ts";
import { account, range, seqsOf } from "../../support/account.ts";
import { until } from "../../support/stats.ts";
import { topicDetail } from "../../support/answers.ts";
import { goodbye } from "../../support/goodbye.ts";
import { overwhelm, publish, publishLarge } from "../../support/publish.ts";
import { createTopic, health, startTestServer, type EngineOver } from "../../support/server.ts";
import { Subscriber } from "../../support/subscriber.ts";

export function pressureContract(transport: Transport, engine: EngineOver): void {
  test("a stalled reader alone loses events, and is told exactly which; the newest of its queue survive", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    using stalled = await Subscriber.open(server, transport, { topic: "t", clientId: "stalled", stalled: true });
    using healthy = await Subscriber.open(server, transport, { topic: "t", clientId: "healthy" });
    let last = 0;
    for (const _round of ["once", "and once more after it has read"]) {
      const first = last + 1;
      last = await overwhelm(server, "t", "stalled", 100);
      expect(account(await healthy.takeUntil(last), first - 1)).toEqual({ seqs: range(first, last), gaps: [] });
      const { subscribers } = await topicDetail(server, "t");
      expect(subscribers.map(({ client_id }) => client_id)).toEqual(["healthy", "stalled"]);
      expect(subscribers[0]?.queued).toBe(0);
      expect(subscribers[1]?.queued).toBeWithin(1, 51);

      stalled.resume();
      const { seqs, gaps } = account(await stalled.takeUntil(last), first - 1);
      // Usually one; each time that the kernel finds some more room for what it takes, one more.
      expect(gaps).not.toEqual([]);
      expect(seqs.slice(-50)).toEqual(range(last - 49, last));
      expect(seqs.length).toBeGreaterThan(50);
      stalled.stall();
    }
    expect(server.lines).toEqual([]);
  });

  test("a shorter queue keeps so many, and one longer than MAX_SUBSCRIBER_QUEUE is refused", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    using refused = await Subscriber.open(server, transport, { topic: "t", clientId: "greedy", queue: 51 });
    expect(await refused.next()).toMatchObject({
      kind: "refused",
      code: "LIMIT_EXCEEDED",
      problem: "'queue' is 51, and MAX_SUBSCRIBER_QUEUE is 50",
    });
    expect(await health(server)).toMatchObject({ subscribers: 0 });
    using stalled = await Subscriber.open(server, transport, { topic: "t", clientId: "me", queue: 5, stalled: true });
    const last = await overwhelm(server, "t", "me");
    stalled.resume();
    const { seqs, gaps } = account(await stalled.takeUntil(last), 0);
    expect(gaps).not.toEqual([]);
    expect(seqs.slice(-5)).toEqual(range(last - 4, last));
  });

  test("a slow reader gets all that it asked for as replay, whatever is published meanwhile", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    await publishLarge(server, "t", 100);
    using slow = await Subscriber.open(server, transport, { topic: "t", clientId: "me", lastN: 100, stalled: true });
    await publish(server, "t", Array(200).fill("meanwhile"));
    slow.resume();
    const received = await slow.takeUntil(300);
    expect(account(received, 0)).toEqual({ seqs: [...range(1, 100), ...range(251, 300)], gaps: [[101, 250]] });
    expect(received[101]).toMatchObject({ kind: "gap" });
  });

  test("one who asked for the latest jumps to it, and is told of no gap", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    const wish = { topic: "t", clientId: "me", overflow: "latest", stalled: true } as const;
    using stalled = await Subscriber.open(server, transport, wish);
    const last = await overwhelm(server, "t", "me");
    stalled.resume();
    const received = await stalled.takeUntil(last);
    expect(received.filter(({ kind }) => kind === "gap")).toEqual([]);
    const seqs = seqsOf(received);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    expect(seqs.at(-1)).toBe(last);
    expect(seqs.length).toBeLessThan(last);
    await publish(server, "t", ["next"]);
    expect(await stalled.next()).toMatchObject({ kind: "event", seq: last + 1 });
  });

  test("one who asked to be disconnected is told all that it was not sent in one gap, and closed", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    const wish = { topic: "t", clientId: "me", overflow: "disconnect", stalled: true } as const;
    using stalled = await Subscriber.open(server, transport, wish);
    while ((await health(server)).subscribers > 0) await publishLarge(server, "t", 10);
    stalled.resume();
    expect(await stalled.ended).toEqual(goodbye(transport, CLOSE.slowConsumer));
    const received = await stalled.rest();
    const { seqs, gaps } = account(received, 0);
    expect(gaps).toEqual([[seqs.length + 1, expect.any(Number)]]);
    const end = received.at(-1);
    // The publish that filled its queue was one of ten messages.
    expect(end?.kind === "gap" && end.dropped).toBeWithin(51, 61);
    expect(server.lines).toEqual([]);
  });

  test("a stalled one that is taken over is told what it was not sent before it is told so, and stays open", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    using old = await Subscriber.open(server, transport, { topic: "t", clientId: "me", stalled: true });
    const last = await overwhelm(server, "t", "me");
    using back = await Subscriber.open(server, transport, { topic: "t", clientId: "me", lastN: 1 });
    await publish(server, "t", ["for the new one"]);
    expect(account(await back.takeUntil(last + 1), last - 1).seqs).toEqual([last, last + 1]);
    old.resume();
    await until(async () => old.received.at(-1)?.kind === "info");
    expect(account(old.received, 0).gaps.at(-1)?.[1]).toBe(last);
    expect(old.received.at(-1)).toMatchObject({ kind: "info", msg: "subscription_replaced", topic: "t" });
    expect(old.over).toBe(false);
    expect(await health(server)).toMatchObject({ subscribers: 1 });
  });
}
