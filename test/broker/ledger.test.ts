import { describe, expect, test } from "bun:test";
import type { SubscribeOptions } from "../../src/broker/recovery.ts";
import type { Dropped, EndReason, Ledger } from "../../src/protocol/ledger.ts";
import { imbalance } from "../support/balance.ts";
import { BrokerTotals } from "../support/broker-totals.ts";
import { FakePeer } from "../support/fake-peer.ts";
import { LIMITS, makeBroker, SILENT, type BrokerAndEngine } from "../support/make-broker.ts";

const TS = "2026-01-02T03:04:05.678Z";

/** A broker with the topic "t", and "me" subscribed to it. */
class Stage {
  readonly totals = new BrokerTotals();
  readonly broker: BrokerAndEngine;
  readonly peer = new FakePeer();
  readonly session;

  constructor(options: SubscribeOptions = {}, limits: Partial<typeof LIMITS> = {}, before = 0) {
    const own = { ...LIMITS, maxHistory: 10, maxSubscriberQueue: 4, ...limits };
    this.broker = makeBroker({ limits: own, metrics: this.totals });
    this.broker.createTopic("t");
    this.session = this.broker.connect(this.peer);
    this.publish(before);
    this.subscribe(options);
  }

  subscribe(options: SubscribeOptions): void {
    this.broker.subscribe(this.session, "t", "me", options);
  }

  append(count: number, bytes = 1): void {
    for (let i = 0; i < count; i++) this.broker.publish("t", [{ id: "i", payload: JSON.stringify("x".repeat(bytes)) }]);
  }

  publish(count: number, bytes?: number): void {
    this.append(count, bytes);
    this.broker.flush();
  }

  get mine(): Ledger | undefined {
    return this.broker.topicDetail("t").subscribers.find(({ clientId }) => clientId === "me")?.ledger;
  }

  get topic(): Ledger {
    return this.broker.topicDetail("t").ledger;
  }
}

describe("The ledger of a subscriber", () => {
  test("tells what waits for a flush from what waits for the peer", () => {
    const stage = new Stage();
    stage.append(2);
    expect(stage.mine).toEqual({ due: 2, delivered: 0, dropped: {}, queued: 0, unflushed: 2 });
    stage.broker.flush();
    expect(stage.mine).toEqual({ due: 2, delivered: 2, dropped: {}, queued: 0, unflushed: 0 });
    stage.peer.room = 0;
    stage.publish(3);
    stage.append(1);
    expect(stage.mine).toEqual({ due: 6, delivered: 2, dropped: {}, queued: 3, unflushed: 1 });
    expect(stage.broker.backlog).toEqual({ queued: 3, unflushed: 1, unreported: 0, lagging: 1 });
    stage.append(2);
    expect(stage.mine).toEqual({ due: 8, delivered: 2, dropped: { queue_full: 2 }, queued: 1, unflushed: 3 });
    expect(stage.broker.backlog).toEqual({ queued: 1, unflushed: 3, unreported: 2, lagging: 1 });
  });

  test("counts a replay as due, and once more each time it is asked for", () => {
    const stage = new Stage({ last_n: 3 }, {}, 5);
    expect(stage.mine).toEqual({ due: 3, delivered: 0, dropped: {}, queued: 3, unflushed: 0 });
    stage.broker.flush();
    stage.subscribe({ last_n: 2 });
    stage.broker.flush();
    expect(stage.mine).toEqual({ due: 5, delivered: 5, dropped: {}, queued: 0, unflushed: 0 });
    expect(stage.totals.counts).toMatchObject({ due: 5, delivered: 5, replayed: 5, dropped: 0, gaps: 0 });
  });

  test("names a full queue, told of or not", () => {
    const stage = new Stage();
    stage.peer.room = 0;
    stage.publish(7);
    expect(stage.mine).toEqual({ due: 7, delivered: 0, dropped: { queue_full: 3 }, queued: 4, unflushed: 0 });
    expect(stage.totals.counts).toMatchObject({ dropped: 0, gaps: 0, mostWaiting: 4 });
    stage.peer.room = Number.POSITIVE_INFINITY;
    stage.session.drained();
    expect(stage.mine).toEqual({ due: 7, delivered: 4, dropped: { queue_full: 3 }, queued: 0, unflushed: 0 });
    expect(stage.totals.counts).toMatchObject({ dropped: 3, gaps: 1, due: 7, delivered: 4 });
  });

  test("counts no gap as told to one that wants the latest only", () => {
    const stage = new Stage({ overflow: "latest", queue: 2 });
    stage.peer.room = 0;
    stage.publish(3);
    stage.peer.room = Number.POSITIVE_INFINITY;
    stage.session.drained();
    expect(stage.mine).toMatchObject({ dropped: { superseded: 2 }, delivered: 1 });
    expect(stage.totals.counts).toMatchObject({ dropped: 2, gaps: 0 });
    expect(stage.totals.droppedBy).toEqual({ superseded: 2 });
  });

  test("names what history has lost before it was sent", () => {
    const stage = new Stage({}, { historyMemoryBytes: 3000 });
    stage.peer.room = 0;
    stage.publish(4, 1000);
    const { queued = 0, ...mine } = stage.mine ?? {};
    expect(queued).toBeLessThan(4);
    expect(mine).toEqual({ due: 4, delivered: 0, dropped: { not_in_history: 4 - queued }, unflushed: 0 });
    stage.peer.room = Number.POSITIVE_INFINITY;
    stage.session.drained();
    expect(stage.mine).toMatchObject({ delivered: queued, dropped: { not_in_history: 4 - queued }, queued: 0 });
    expect(stage.totals.droppedBy).toEqual({ not_in_history: 4 - queued });
  });

  test("names what an engine has jumped over", () => {
    const stage = new Stage();
    stage.broker.append("t", { first: 6, ts: TS, messages: [{ id: "i", payload: "1" }], findable: false });
    stage.broker.flush();
    expect(stage.mine).toEqual({ due: 6, delivered: 1, dropped: { not_in_history: 5 }, queued: 0, unflushed: 0 });
    expect(stage.totals.counts).toMatchObject({ due: 6, delivered: 1, dropped: 5, gaps: 1 });
  });

  test("names what a second replay has left out of the first", () => {
    const stage = new Stage({}, {}, 10);
    stage.peer.room = 0;
    stage.subscribe({ last_n: 8 });
    stage.broker.flush();
    expect(stage.peer.blocked).toBe(true);
    stage.subscribe({ last_n: 3 });
    expect(stage.mine).toMatchObject({ dropped: { skipped: 5 }, queued: 3 });
    expect(stage.totals.droppedBy).toEqual({ skipped: 5 });
    expect(imbalance(stage.topic)).toBe(0);
  });
});

describe("The ledger of a topic", () => {
  /** Ends the subscription while four events are queued and three were dropped. */
  const ENDS: readonly (readonly [EndReason, (stage: Stage) => void])[] = [
    ["unsubscribed", ({ broker, session }) => broker.unsubscribe(session, "t", "me")],
    ["replaced", ({ broker }) => void broker.subscribe(broker.connect(new FakePeer()), "t", "me")],
    ["revoked", ({ broker, session }) => void broker.revoke(session, () => false)],
    ["disconnected", ({ broker, session }) => broker.end(session, "disconnected")],
    ["shutdown", ({ broker, session }) => broker.end(session, "shutdown")],
    ["connection_closed", ({ broker, session }) => broker.end(session, "connection_closed")],
  ];

  test.each(ENDS)("goes on counting what a subscription that is %s was to get", (reason, end) => {
    const stage = new Stage();
    stage.publish(2);
    stage.peer.room = 0;
    stage.publish(7);
    const dropped: Dropped = { queue_full: 3, [reason]: 4 };
    end(stage);
    expect(stage.topic).toEqual({ due: 9, delivered: 2, dropped, queued: 0, unflushed: 0 });
    expect(stage.totals.counts).toMatchObject({ due: 9, delivered: 2, dropped: 7 });
    expect(stage.totals.droppedBy).toEqual(dropped);
    expect(stage.broker.backlog).toEqual({ queued: 0, unflushed: 0, unreported: 0, lagging: 0 });
  });

  test("names one that was too slow, and what went down with it", () => {
    const stage = new Stage({ overflow: "disconnect" });
    stage.broker.subscribe(stage.session, "t", "other");
    stage.peer.room = 0;
    stage.publish(4);
    stage.publish(1);
    // The other one has dropped its oldest by then.
    const dropped = { too_slow: 5, queue_full: 1, connection_closed: 4 };
    expect(stage.topic).toEqual({ due: 10, delivered: 0, dropped, queued: 0, unflushed: 0 });
    expect(stage.totals.droppedBy).toEqual(dropped);
  });

  test("adds up those who are there and those who were", () => {
    const stage = new Stage();
    const other = stage.broker.connect(new FakePeer());
    stage.broker.subscribe(other, "t", "other");
    stage.publish(3);
    stage.broker.unsubscribe(other, "t", "other");
    stage.publish(2);
    expect(stage.topic).toEqual({ due: 8, delivered: 8, dropped: {}, queued: 0, unflushed: 0 });
  });

  test("counts what a deletion has cut off until the subscriptions have ended", () => {
    const work: (() => void)[] = [];
    const totals = new BrokerTotals();
    const broker = makeBroker({ limits: LIMITS, metrics: totals, soon: (later) => void work.push(later) });
    broker.createTopic("t");
    for (let i = 0; i < 100; i++) {
      const peer = new FakePeer();
      peer.room = 0;
      broker.subscribe(broker.connect(peer), "t", `c${i}`);
    }
    broker.publish("t", [{ id: "i", payload: "1" }]);
    broker.flush();
    broker.deleteTopic("t");
    for (let turns = 0; ; turns++) {
      const { queued, unflushed, unreported } = broker.backlog;
      expect(totals.counts.due).toBe(totals.counts.dropped + queued + unflushed + unreported);
      const later = work.shift();
      if (later === undefined) break;
      expect([turns < 9, queued > 0]).toEqual([true, true]);
      later();
    }
    expect(totals.counts).toMatchObject({ due: 100, delivered: 0, dropped: 100 });
    expect(totals.droppedBy).toEqual({ topic_deleted: 100 });
  });

  test("stays in balance where a peer throws while its topic is deleted, and the subscription ends all the same", () => {
    const totals = new BrokerTotals();
    const faults: unknown[] = [];
    const observer = { ...SILENT, fault: (cause: unknown) => void faults.push(cause) };
    const broker = makeBroker({ limits: LIMITS, metrics: totals, observer });
    broker.createTopic("t");
    const peer = new FakePeer();
    const session = broker.connect(peer);
    broker.subscribe(session, "t", "me");
    broker.publish("t", [{ id: "i", payload: "1" }]);
    peer.faultsLeft = 1;
    broker.deleteTopic("t");
    expect([faults.length, session.subscriptions.length, peer.closed?.code]).toEqual([1, 0, 4404]);
    expect(totals.counts).toMatchObject({ due: 1, delivered: 0, dropped: 1 });
  });
});
