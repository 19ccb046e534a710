import { describe, expect, jest, test } from "bun:test";
import { CLOSE } from "../../src/protocol/codes.ts";
import type { BrokerOptions } from "../support/make-broker.ts";
import { makeLogger } from "../support/make-logger.ts";
import { makeRegistry, type RegistryOptions } from "../support/make-registry.ts";
import { until } from "../support/stats.ts";

import { FakeSockets } from "../support/progress.ts";
import { turn } from "../support/turn.ts";

const GRACE_MS = 30_000;

function setUp(own: RegistryOptions = {}, ports: BrokerOptions = {}) {
  const { lines, log } = makeLogger("debug");
  const peers = makeRegistry({ log, closeGraceMs: GRACE_MS, ...own }, ports);
  /** One who is to be closed, and has not read everything. */
  const toClose = (unsentBytes = 0) => {
    const client = peers.connect();
    client.room = 0;
    client.unsentBytes = unsentBytes;
    client.close(CLOSE.topicDeleted);
    return client;
  };
  const reasons = () => lines.filter((line) => line.includes("closed before it had read everything"));
  return { ...peers, toClose, reasons };
}

/** A test whose timers run when it says so. */
const testWithClock = (name: string, run: () => void) =>
  test(name, () => {
    jest.useFakeTimers();
    try {
      run();
    } finally {
      jest.clearAllTimers();
      jest.useRealTimers();
    }
  });

describe("a client that is to be closed", () => {
  testWithClock(
    "counts as a connection, and as no subscriber, until its grace is over; then it is closed as it was told",
    () => {
      const { registry, closing, connect, broker, reasons } = setUp();
      const client = connect();
      broker.subscribe(client.session, "t", "me");
      client.room = 0;
      client.close(CLOSE.slowConsumer);
      expect([registry.size, registry.count("websocket"), broker.stats.subscriptions]).toEqual([0, 1, 0]);
      jest.advanceTimersByTime(GRACE_MS - 1);
      expect([client.end, registry.count("websocket")]).toEqual([undefined, 1]);
      jest.advanceTimersByTime(1);
      expect([client.end, registry.count("websocket")]).toEqual(["finished", 0]);
      expect(closing.ended).toEqual({ told: 0, cutOff: 1 });
      expect(reasons()).toEqual([expect.stringContaining("CLOSE_GRACE_MS is over")]);
    },
  );

  test("is closed in the next turn once it has read everything, and counted once, however often it says so", async () => {
    const { registry, closing, toClose, reasons } = setUp();
    const client = toClose();
    for (let i = 0; i < 3; i++) registry.received(client);
    expect([client.end, registry.count("websocket")]).toEqual([undefined, 1]);
    await turn();
    registry.received(client);
    expect([client.end, registry.count("websocket")]).toEqual(["finished", 0]);
    expect(closing.ended).toEqual({ told: 1, cutOff: 0 });
    expect(reasons()).toEqual([]);
  });

  test("is closed with at most fifteen others in one turn", async () => {
    const { registry, closing, toClose } = setUp();
    const all = Array.from({ length: 40 }, () => toClose());
    for (const client of all) registry.received(client);
    const left: number[] = [];
    while (registry.count("websocket") > 0) {
      await turn();
      left.push(registry.count("websocket"));
    }
    expect(left).toEqual([24, 8, 0]);
    expect(closing.ended).toEqual({ told: 40, cutOff: 0 });
  });

  test("that says it has read everything without being told to go stays", async () => {
    const { registry, closing, connect } = setUp();
    const client = connect();
    registry.received(client);
    await turn();
    expect([client.end, registry.size, closing.ended.told]).toEqual([undefined, 1, 0]);
  });

  testWithClock("and hangs up is neither told nor cut off, and is not waited for", () => {
    const { registry, closing, toClose, reasons } = setUp();
    const client = toClose();
    registry.gone(client, "hung up");
    jest.advanceTimersByTime(2 * GRACE_MS);
    expect([client.end, registry.count("websocket"), closing.ended]).toEqual([undefined, 0, { told: 0, cutOff: 0 }]);
    expect(reasons()).toEqual([]);
  });
});

describe("of all that are to be closed", () => {
  testWithClock("the longest waiting are cut off once too much is unsent, never the one that came last", () => {
    const { registry, closing, toClose, reasons } = setUp({ closingBytes: 1000 });
    const [first, second, third] = [toClose(400), toClose(400), toClose(200)];
    expect([first.end, second.end, third.end]).toEqual([undefined, undefined, undefined]);
    const fourth = toClose(1);
    expect([first.end, second.end, third.end]).toEqual(["cut off", undefined, undefined]);
    const huge = toClose(5000);
    expect([second.end, third.end, fourth.end, huge.end]).toEqual(["cut off", "cut off", "cut off", undefined]);
    expect([registry.count("websocket"), closing.ended]).toEqual([1, { told: 0, cutOff: 4 }]);
    expect(reasons()).toEqual(Array(4).fill(expect.stringContaining("too much is unsent")));
  });

  testWithClock("what one left unsent counts no more once it is gone", () => {
    const { registry, closing, toClose } = setUp({ closingBytes: 1000 });
    for (let i = 0; i < 10; i++) {
      registry.gone(toClose(900), "hung up");
      const other = toClose(900);
      jest.advanceTimersByTime(GRACE_MS);
      expect(other.end).toBe("finished");
    }
    expect(toClose(900).end).toBeUndefined();
    expect(closing.ended).toEqual({ told: 0, cutOff: 10 });
  });

  testWithClock("the longest waiting makes room for a newcomer, who is refused where there is none", () => {
    const { registry, closing, connect, toClose, reasons } = setUp({ maxConnections: 3 });
    const staying = connect();
    const [first, second] = [toClose(), toClose()];
    registry.checkRoom(undefined);
    expect([staying.end, first.end, second.end]).toEqual([undefined, "cut off", undefined]);
    connect();
    registry.checkRoom(undefined);
    expect(second.end).toBe("cut off");
    connect();
    expect(() => registry.checkRoom(undefined)).toThrow("MAX_CONNECTIONS is 3");
    expect([staying.end, registry.size, closing.ended.cutOff]).toEqual([undefined, 3, 2]);
    expect(reasons()).toEqual(Array(2).fill(expect.stringContaining("room was needed")));
  });

  test("those whose own system has everything are closed, though they do not say so; the others wait", async () => {
    const sockets = new FakeSockets();
    const { registry, closing, toClose } = setUp({ progress: sockets.progress });
    sockets.now = { acked: 1n, received: 0n, waiting: false };
    const [silent, unsent] = [toClose(), toClose(1)];
    await until(async () => silent.end !== undefined);
    expect([silent.end, unsent.end, closing.ended]).toEqual(["finished", undefined, { told: 1, cutOff: 0 }]);
    sockets.now = { ...sockets.now, waiting: true };
    const waiting = toClose();
    unsent.unsentBytes = 0;
    await until(async () => waiting.look !== undefined);
    expect([unsent.end, waiting.end]).toEqual([undefined, undefined]);
    sockets.now = { ...sockets.now, waiting: false };
    await until(async () => registry.count("websocket") === 0);
    expect(closing.ended).toEqual({ told: 3, cutOff: 0 });
    const later = toClose();
    await until(async () => later.end !== undefined);
    expect(later.end).toBe("finished");
  });

  test("one who had to read to make room is not waited for as long as one who may not have read anything", async () => {
    const [late, atOnce] = [new FakeSockets(), new FakeSockets()];
    late.now = { acked: 1n, received: 0n, waiting: true };
    atOnce.now = { acked: 1n, received: 0n, waiting: false };
    const stages = [late, atOnce].map(({ progress }) => setUp({ progress, saySoMs: 60_000 }));
    const [reader, staller] = stages.map(({ toClose }) => toClose());
    await until(async () => reader?.look !== undefined && staller?.look !== undefined);
    late.now = { acked: 2n, received: 0n, waiting: false };
    await until(async () => reader?.end !== undefined);
    expect([reader?.end, staller?.end]).toEqual(["finished", undefined]);
    for (const { registry, closing } of stages) for (const peer of closing.peers) registry.gone(peer, "over");
  });
});

test("a shutdown cuts off those that were to be closed before it when its own grace is over", async () => {
  const { closing, shutdown, toClose, reasons } = setUp();
  const before = toClose();
  await shutdown.run(1);
  expect([before.end, closing.ended]).toEqual(["finished", { told: 0, cutOff: 1 }]);
  expect(reasons()).toEqual([expect.stringContaining("SHUTDOWN_GRACE_MS is over")]);
});

test("one who subscribes anew while its deleted topic is ended bit by bit leaves no subscription when it hangs up", () => {
  const { registry, connect, broker } = setUp({}, { soon: () => {} });
  const all = Array.from({ length: 100 }, () => connect());
  for (const [index, client] of all.entries()) broker.subscribe(client.session, "t", `client ${index}`);
  broker.deleteTopic("t");
  const [back] = all.filter(({ closed }) => closed === undefined);
  if (back === undefined) throw new Error();
  broker.subscribe(back.session, "t", "back");
  expect([back.closed, broker.stats.subscriptions]).toEqual([undefined, 1]);
  registry.gone(back, "hung up");
  expect([broker.stats.subscriptions, broker.subscribersOf("t")]).toEqual([0, 0]);
});
