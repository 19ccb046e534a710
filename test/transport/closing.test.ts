import { describe, expect, jest, test } from "bun:test";
import { Broker, type BrokerPorts } from "../../src/broker/broker.ts";
import { Logger } from "../../src/ops/logger.ts";
import { Metrics } from "../../src/ops/metrics.ts";
import { CLOSE } from "../../src/protocol/codes.ts";
import type { ClientsDeps } from "../../src/transport/clients.ts";
import { brokerPorts } from "../support/broker-ports.ts";
import { FakeClient, makeClients } from "../support/clients.ts";
import { until } from "../support/figures.ts";
import { LIMITS } from "../support/limits.ts";
import { FakeSockets } from "../support/progress.ts";

const GRACE_MS = 30_000;

function setUp(own: Partial<ClientsDeps> = {}, ports: Partial<BrokerPorts> = {}) {
  const lines: string[] = [];
  const log = new Logger("debug", "text", (line) => void lines.push(line));
  const metrics = new Metrics();
  const broker = new Broker(LIMITS, brokerPorts({ metrics, ...ports }));
  const clients = makeClients({ broker, metrics, log, closeGraceMs: GRACE_MS, ...own });
  /** One who is to be closed, and has not read everything. */
  const closing = (unsentBytes = 0) => {
    const client = new FakeClient(clients);
    client.room = 0;
    client.unsentBytes = unsentBytes;
    client.close(CLOSE.topicDeleted);
    return client;
  };
  const reasons = () => lines.filter((line) => line.includes("closed before it had read everything"));
  return { clients, broker, closing, reasons };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

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
      const { clients, broker, reasons } = setUp();
      const client = new FakeClient(clients);
      broker.subscribe(client.connection, "t", "me");
      client.room = 0;
      client.close(CLOSE.slowConsumer);
      expect([clients.size, clients.count("websocket"), broker.subscriptions]).toEqual([0, 1, 0]);
      jest.advanceTimersByTime(GRACE_MS - 1);
      expect([client.end, clients.count("websocket")]).toEqual([undefined, 1]);
      jest.advanceTimersByTime(1);
      expect([client.end, clients.count("websocket")]).toEqual(["finished", 0]);
      expect(clients.ended).toEqual({ told: 0, cutOff: 1 });
      expect(reasons()).toEqual([expect.stringContaining("CLOSE_GRACE_MS is over")]);
    },
  );

  test("is closed in the next turn once it has read everything, and counted once, however often it says so", async () => {
    const { clients, closing, reasons } = setUp();
    const client = closing();
    for (let i = 0; i < 3; i++) clients.received(client);
    expect([client.end, clients.count("websocket")]).toEqual([undefined, 1]);
    await turn();
    clients.received(client);
    expect([client.end, clients.count("websocket")]).toEqual(["finished", 0]);
    expect(clients.ended).toEqual({ told: 1, cutOff: 0 });
    expect(reasons()).toEqual([]);
  });

  test("is closed with at most fifteen others in one turn", async () => {
    const { clients, closing } = setUp();
    const all = Array.from({ length: 40 }, () => closing());
    for (const client of all) clients.received(client);
    const left: number[] = [];
    while (clients.count("websocket") > 0) {
      await turn();
      left.push(clients.count("websocket"));
    }
    expect(left).toEqual([24, 8, 0]);
    expect(clients.ended).toEqual({ told: 40, cutOff: 0 });
  });

  test("that says it has read everything without being told to go stays", async () => {
    const { clients } = setUp();
    const client = new FakeClient(clients);
    clients.received(client);
    await turn();
    expect([client.end, clients.size, clients.ended.told]).toEqual([undefined, 1, 0]);
  });

  testWithClock("and hangs up is neither told nor cut off, and is not waited for", () => {
    const { clients, closing, reasons } = setUp();
    const client = closing();
    clients.gone(client, "hung up");
    jest.advanceTimersByTime(2 * GRACE_MS);
    expect([client.end, clients.count("websocket"), clients.ended]).toEqual([undefined, 0, { told: 0, cutOff: 0 }]);
    expect(reasons()).toEqual([]);
  });
});

describe("of all that are to be closed", () => {
  testWithClock("the longest waiting are cut off once too much is unsent, never the one that came last", () => {
    const { clients, closing, reasons } = setUp({ closingBytes: 1000 });
    const [first, second, third] = [closing(400), closing(400), closing(200)];
    expect([first.end, second.end, third.end]).toEqual([undefined, undefined, undefined]);
    const fourth = closing(1);
    expect([first.end, second.end, third.end]).toEqual(["cut off", undefined, undefined]);
    const huge = closing(5000);
    expect([second.end, third.end, fourth.end, huge.end]).toEqual(["cut off", "cut off", "cut off", undefined]);
    expect([clients.count("websocket"), clients.ended]).toEqual([1, { told: 0, cutOff: 4 }]);
    expect(reasons()).toEqual(Array(4).fill(expect.stringContaining("too much is unsent")));
  });

  testWithClock("what one left unsent counts no more once it is gone", () => {
    const { clients, closing } = setUp({ closingBytes: 1000 });
    for (let i = 0; i < 10; i++) {
      clients.gone(closing(900), "hung up");
      const other = closing(900);
      jest.advanceTimersByTime(GRACE_MS);
      expect(other.end).toBe("finished");
    }
    expect(closing(900).end).toBeUndefined();
    expect(clients.ended).toEqual({ told: 0, cutOff: 10 });
  });

  testWithClock("the longest waiting makes room for a newcomer, who is refused where there is none", () => {
    const { clients, closing, reasons } = setUp({ maxConnections: 3 });
    const staying = new FakeClient(clients);
    const [first, second] = [closing(), closing()];
    clients.checkRoom();
    expect([staying.end, first.end, second.end]).toEqual([undefined, "cut off", undefined]);
    new FakeClient(clients);
    clients.checkRoom();
    expect(second.end).toBe("cut off");
    new FakeClient(clients);
    expect(() => clients.checkRoom()).toThrow("MAX_CONNECTIONS is 3");
    expect([staying.end, clients.size, clients.ended.cutOff]).toEqual([undefined, 3, 2]);
    expect(reasons()).toEqual(Array(2).fill(expect.stringContaining("room was needed")));
  });

  test("those whose own system has everything are closed, though they do not say so; the others wait", async () => {
    const sockets = new FakeSockets();
    const { clients, closing } = setUp({ progress: sockets.progress });
    sockets.now = { acked: 1n, received: 0n, waiting: false };
    const [silent, unsent] = [closing(), closing(1)];
    await until(async () => silent.end !== undefined);
    expect([silent.end, unsent.end, clients.ended]).toEqual(["finished", undefined, { told: 1, cutOff: 0 }]);
    sockets.now = { ...sockets.now, waiting: true };
    const waiting = closing();
    unsent.unsentBytes = 0;
    await until(async () => waiting.look !== undefined);
    expect([unsent.end, waiting.end]).toEqual([undefined, undefined]);
    sockets.now = { ...sockets.now, waiting: false };
    await until(async () => clients.count("websocket") === 0);
    expect(clients.ended).toEqual({ told: 3, cutOff: 0 });
    const later = closing();
    await until(async () => later.end !== undefined);
    expect(later.end).toBe("finished");
  });
});

test("a shutdown cuts off those that were to be closed before it when its own grace is over", async () => {
  const { clients, closing, reasons } = setUp();
  const before = closing();
  await clients.stop(1);
  expect([before.end, clients.ended]).toEqual(["finished", { told: 0, cutOff: 1 }]);
  expect(reasons()).toEqual([expect.stringContaining("SHUTDOWN_GRACE_MS is over")]);
});

test("one who subscribes anew while its deleted topic is ended bit by bit leaves no subscription when it hangs up", () => {
  const { clients, broker } = setUp({}, { soon: () => {} });
  const all = Array.from({ length: 100 }, () => new FakeClient(clients));
  for (const [index, client] of all.entries()) broker.subscribe(client.connection, "t", `client ${index}`);
  broker.deleteTopic("t");
  const [back] = all.filter(({ closed }) => closed === undefined);
  if (back === undefined) throw new Error();
  broker.subscribe(back.connection, "t", "back");
  expect([back.closed, broker.subscriptions]).toEqual([undefined, 1]);
  clients.gone(back, "hung up");
  expect([broker.subscriptions, broker.topic("t").subscriptions.size]).toEqual([0, 0]);
});
