import { expect, test } from "bun:test";
import { TRANSPORTS, type Transport } from "../../../src/protocol/frames.ts";
import { account, range, seqsOf } from "../../support/account.ts";
import { Client, ID } from "../../support/client.ts";
import { topicDetail } from "../../support/answers.ts";
import { startServerWithManualHeartbeat } from "../../support/heartbeat.ts";
import { publish } from "../../support/publish.ts";
import type { Received } from "../../support/received.ts";
import { createTopic, startTestServer, type EngineOver } from "../../support/server.ts";
import { Subscriber } from "../../support/subscriber.ts";
import { turn } from "../../support/turn.ts";

const payloadsOf = (received: readonly Received[]) =>
  received.flatMap((one) => (one.kind === "event" ? [one.payload] : []));

export function deliveryContract(transport: Transport, engine: EngineOver): void {
  test("whoever subscribes amid publishing gets the ack, the replay, then what is live, no gap and no duplicate", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    await using publisher = await Client.connect(server);
    const [count, lastN] = [2000, 30];
    const opening: Promise<Subscriber>[] = [];
    for (let n = 1; n <= count; n++) {
      publisher.send({ type: "publish", topic: "t", message: { id: ID, payload: n }, ack: false });
      if (n % 100 === 0) opening.push(Subscriber.open(server, transport, { topic: "t", clientId: `c${n}`, lastN }));
      if (n % 10 === 0) await turn();
      // Publishing does not run ahead of the engine, so that somebody subscribes in the middle.
      if (n % 100 === 0) await publisher.settle();
    }
    const moments: number[] = [];
    for (const subscriber of await Promise.all(opening)) {
      const subscribed = await subscriber.next();
      if (subscribed.kind !== "subscribed") throw new Error(`First came ${JSON.stringify(subscribed)}`);
      expect(subscribed.replay).toBe(Math.min(lastN, subscribed.seq));
      moments.push(subscribed.seq);
      const start = subscribed.seq - subscribed.replay;
      // One who came after the last message has it only as replay.
      const events = await subscriber.takeUntil(count);
      expect(account(events, start)).toEqual({ seqs: range(start + 1, count), gaps: [] });
      expect(payloadsOf(events)).toEqual(range(start + 1, count));
      subscriber.cut();
    }
    expect(moments.some((seq) => seq > lastN && seq < count)).toBe(true);
  });

  test("all see the order of publishing, whoever publishes and by whatever they are connected", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    const wish = { topic: "t" };
    using one = await Subscriber.open(server, transport, { ...wish, clientId: "one" });
    using two = await Subscriber.open(server, transport, { ...wish, clientId: "two" });
    using socket = await Subscriber.open(server, "websocket", { ...wish, clientId: "socket" });
    const publishers = await Promise.all(range(1, 3).map(() => Client.connect(server)));
    const each = 500;
    for (let n = 1; n <= each; n++) {
      for (const [p, publisher] of publishers.entries()) {
        publisher.send({ type: "publish", topic: "t", message: { id: ID, payload: [p, n] }, ack: false });
      }
      if (n % 50 === 0) await turn();
    }
    const orders: string[][] = [];
    for (const subscriber of [one, two, socket]) {
      const received = await subscriber.takeUntil(3 * each);
      expect(account(received, 0)).toEqual({ seqs: range(1, 3 * each), gaps: [] });
      orders.push(payloadsOf(received).map((payload) => JSON.stringify(payload)));
    }
    const [order = [], ...others] = orders;
    for (const other of others) expect(other).toEqual(order);
    for (const p of publishers.keys()) {
      expect(order.filter((payload) => payload.startsWith(`[${p},`))).toEqual(range(1, each).map((n) => `[${p},${n}]`));
    }
    await Promise.all(publishers.map((publisher) => publisher.close()));
  });

  for (const [lastN, expected] of [
    [undefined, []],
    [0, []],
    [3, [23, 24, 25]],
    [99, range(16, 25)],
  ] as const) {
    test(`last_n ${lastN} of 25 messages, where history keeps 10, replays ${expected.length}`, async () => {
      await using server = startTestServer({ MAX_HISTORY: "10" }, engine);
      await createTopic(server, "t");
      await publish(server, "t", range(1, 25));
      const wish = { topic: "t", clientId: "me", ...(lastN === undefined ? {} : { lastN }) };
      using subscriber = await Subscriber.open(server, transport, wish);
      await publish(server, "t", [26]);
      const [subscribed, ...events] = await subscriber.takeUntil(26);
      expect(subscribed).toMatchObject({ kind: "subscribed", seq: 25, replay: expected.length });
      expect(subscribed).not.toHaveProperty("recovered");
      expect(seqsOf(events)).toEqual([...expected, 26]);
    });
  }

  test("one who comes back with its position gets what it missed, or is told what is gone", async () => {
    await using server = startTestServer({ MAX_HISTORY: "10" }, engine);
    await createTopic(server, "t");
    const { epoch } = await publish(server, "t", range(1, 5));
    const resume = async (since: { epoch: string; seq: number }) => {
      using subscriber = await Subscriber.open(server, transport, { topic: "t", clientId: "me", since });
      const answer = await subscriber.next();
      const { replay } = answer.kind === "subscribed" ? answer : { replay: 0 };
      return { answer, seqs: seqsOf(await subscriber.take(replay)) };
    };
    expect(await resume({ epoch, seq: 2 })).toMatchObject({
      answer: { epoch, seq: 5, replay: 3, recovered: true },
      seqs: [3, 4, 5],
    });
    expect(await resume({ epoch, seq: 5 })).toMatchObject({ answer: { replay: 0, recovered: true }, seqs: [] });
    await publish(server, "t", range(6, 20));
    const late = await resume({ epoch, seq: 5 });
    expect(late).toMatchObject({
      answer: { epoch, seq: 20, replay: 10, recovered: false, missed: { first_seq: 6, last_seq: 10 } },
      seqs: range(11, 20),
    });
    const stranger = await resume({ epoch: "another", seq: 5 });
    expect(stranger).toMatchObject({ answer: { epoch, seq: 20, replay: 10, recovered: false }, seqs: range(11, 20) });
    expect(stranger.answer).not.toHaveProperty("missed");
    expect(await resume({ epoch, seq: 21 })).toMatchObject({ answer: { kind: "refused", code: "BAD_REQUEST" } });
  });

  for (const by of TRANSPORTS) {
    test(`its client id is taken over by ${by}: it is told, stays open, and gets no more events`, async () => {
      await using server = startServerWithManualHeartbeat({}, engine);
      await createTopic(server, "t");
      using old = await Subscriber.open(server, transport, { topic: "t", clientId: "me" });
      await publish(server, "t", [1]);
      expect(seqsOf(await old.takeUntil(1))).toEqual([1]);
      using back = await Subscriber.open(server, by, { topic: "t", clientId: "me", lastN: 1 });
      expect(await old.next()).toMatchObject({ kind: "info", msg: "subscription_replaced", topic: "t" });
      await publish(server, "t", [2]);
      expect(seqsOf(await back.takeUntil(2))).toEqual([1, 2]);
      await server.heartbeat(old, back);
      expect(old.over).toBe(false);
      expect(seqsOf(old.received)).toEqual([1]);
      expect((await topicDetail(server, "t")).subscribers).toMatchObject([{ client_id: "me", transport: by }]);
    });
  }

  test("a topic that does not exist is not found, and one that is created by its first use is", async () => {
    await using strict = startTestServer({}, engine);
    using nowhere = await Subscriber.open(strict, transport, { topic: "t", clientId: "me" });
    expect(await nowhere.next()).toMatchObject({ kind: "refused", code: "TOPIC_NOT_FOUND" });
    await using server = startTestServer({ AUTO_CREATE_TOPICS: "true" }, engine);
    using first = await Subscriber.open(server, transport, { topic: "a/b ü?", clientId: "me" });
    expect(await first.next()).toMatchObject({ kind: "subscribed", seq: 0, replay: 0 });
    expect((await topicDetail(server, "a/b ü?")).subscribers).toMatchObject([{ client_id: "me", transport }]);
  });
}
