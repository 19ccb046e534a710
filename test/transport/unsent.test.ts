import { describe, expect, jest, test } from "bun:test";
import { TRANSPORTS } from "../../src/protocol/frames.ts";
import { account, range } from "../support/account.ts";
import { publish } from "../support/publish.ts";
import { makeLogger } from "../support/make-logger.ts";
import { makeRegistry } from "../support/make-registry.ts";
import { createTopic, startTestServer } from "../support/server.ts";
import { metrics, until } from "../support/stats.ts";
import { Subscriber } from "../support/subscriber.ts";
import { turn } from "../support/turn.ts";

const LIMIT = 1000;

function setUp() {
  const { lines, log } = makeLogger("warn");
  const peers = makeRegistry({ log, unsentEventBytes: LIMIT });
  const { unsent } = peers.registry;
  /** One of whom the kernel has not taken `bytes`. */
  const slow = (bytes: number) => {
    const client = peers.connect();
    client.hold();
    unsent.note(client, bytes);
    return client;
  };
  return { ...peers, unsent, slow, lines };
}

describe("past UNSENT_EVENT_BYTES", () => {
  test("everybody is held, until half of it is free", async () => {
    const { unsent, connect, slow } = setUp();
    const healthy = connect();
    const [first, second] = [slow(600), slow(400)];
    expect([healthy.blocked, unsent.used]).toEqual([false, LIMIT]);
    const third = slow(1);
    expect([healthy.blocked, unsent.used]).toEqual([true, LIMIT + 1]);
    unsent.forget(second);
    expect(unsent.holds(second)).toBe(true);
    await turn();
    expect(healthy.blocked).toBe(true);
    unsent.forget(first);
    expect(unsent.holds(first)).toBe(true);
    await turn();
    expect([healthy, first, second, third].map(({ blocked }) => blocked)).toEqual([false, false, false, true]);
    expect([unsent.used, unsent.holds(healthy)]).toEqual([1, false]);
  });

  test.each([
    ["a second in which nobody took anything", 1000, () => {}],
    ["a second after somebody took something", 2000, (take: () => void) => void setTimeout(take, 900)],
    [
      "ten seconds, though somebody takes something all the time",
      10_000,
      (take: () => void) => void setInterval(take, 100),
    ],
  ])("those that have waited longest are cut off after %s", async (_, wait, schedule) => {
    jest.useFakeTimers();
    try {
      const { unsent, connect, slow, lines } = setUp();
      const healthy = connect();
      const other = connect();
      const all = [slow(400), slow(400), slow(400)];
      schedule(() => {
        unsent.note(other, 1);
        unsent.forget(other);
      });
      jest.advanceTimersByTime(wait - 1);
      expect([healthy.blocked, all.map(({ end }) => end)]).toEqual([true, [undefined, undefined, undefined]]);
      jest.advanceTimersByTime(2);
      jest.useRealTimers();
      await turn();
      expect(all.map(({ end }) => end)).toEqual(["cut off", "cut off", undefined]);
      expect([healthy.blocked, all[2]?.blocked, unsent.used]).toEqual([false, true, 400]);
      expect(lines).toEqual([expect.stringMatching(/limit reached: a client .* limit="UNSENT_EVENT_BYTES is 1000"/)]);
    } finally {
      jest.useRealTimers();
    }
  });

  test("one that hangs up while all are held is not waited for", async () => {
    const { unsent, connect, registry, slow } = setUp();
    const [healthy, gone] = [connect(), connect()];
    const large = slow(2 * LIMIT);
    registry.gone(gone, "hung up");
    registry.gone(large, "hung up");
    await turn();
    expect([healthy.blocked, gone.blocked, unsent.used]).toEqual([false, true, 0]);
  });

  for (const transport of TRANSPORTS) {
    test(`over ${transport} those who read nothing lose their connections, and nobody else loses anything`, async () => {
      const limit = 1024 * 1024;
      await using server = startTestServer({ UNSENT_EVENT_BYTES: String(limit), LOG_LEVEL: "warn" });
      await createTopic(server, "t");
      const open = (clientId: string, stalled: boolean) =>
        Subscriber.open(server, transport, { topic: "t", clientId, stalled });
      using healthy = await open("healthy", false);
      const deaf = await Promise.all(range(1, 10).map((n) => open(`deaf ${n}`, true)));
      const refused = async () =>
        (await metrics(server)).get('pubsub_limit_refusals_total{limit="UNSENT_EVENT_BYTES"}') ?? 0;
      const arrived = () => account(healthy.received, 0).seqs.length;
      let last = 0;
      while ((await refused()) === 0) {
        ({ seq: last } = await publish(server, "t", ["x".repeat(900_000)]));
        await until(async () => arrived() === last);
      }
      expect(account(healthy.received, 0)).toEqual({ seqs: range(1, last), gaps: [] });
      expect(server.lines.join("\n")).toContain(`limit="UNSENT_EVENT_BYTES is ${limit}"`);
      for (const one of deaf) one[Symbol.dispose]();
    });
  }
});
