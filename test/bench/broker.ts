/**
 * The broker alone, without sockets: does a publish cost the same whatever the number of subscribers, and a delivery the
 * same however they are spread? `bun test/bench/broker.ts`
 */
import type { Batch, Peer } from "../../src/broker/ports.ts";
import { makeBroker, type BrokerAndEngine } from "../support/make-broker.ts";

/** Takes everything, and only counts it. */
class Sink implements Peer {
  static taken = 0;
  readonly transport = "websocket";
  readonly connectedAt = 0;
  readonly address = undefined;
  readonly traceparent = undefined;
  blocked = false;
  batch(batch: Batch): void {
    batch.write();
  }
  event(): void {
    Sink.taken++;
  }
  send(texts: readonly string[]): void {
    Sink.taken += texts.length;
  }
  notice(): void {}
  close(): void {}
}

/**
 * The peers are made before all else, so that they lie in memory as close together whatever the number of topics: else a
 * delivery would be timed with the way to its peer, which is longer where each topic was made in between.
 */
function brokerWith(topics: number, subscribersEach: number): BrokerAndEngine {
  const peers = Array.from({ length: topics * subscribersEach }, () => new Sink());
  const limits = {
    maxHistory: 100,
    maxSubscriberQueue: 50,
    maxTopics: 1e6,
    maxSubscriptionsPerConnection: 128,
    historyMemoryBytes: 1e9,
    maxMessageBytes: 1e9,
    autoCreateTopics: true,
  };
  const broker = makeBroker({ limits });
  broker.now = "2026-11-21T22:53:00.000Z";
  for (const [i, peer] of peers.entries()) {
    broker.subscribe(broker.connect(peer), `t${i % topics}`, `c${i}`, { last_n: 0 });
  }
  return broker;
}

const messages = [{ id: "550e8400-e29b-41d4-a716-446655440000", payload: `"${"x".repeat(128)}"` }];

/** The publishes alone are timed; the flushes between them, which hand the events out, are not. */
function appends(subscribers: number): number {
  const broker = brokerWith(1, subscribers);
  const perRound = 40;
  const times: number[] = [];
  for (let round = 0; round < 100; round++) {
    const begun = Bun.nanoseconds();
    for (let i = 0; i < perRound; i++) broker.publish("t0", messages);
    times.push((Bun.nanoseconds() - begun) / perRound);
    broker.flush();
  }
  return typical(times.slice(10));
}

/**
 * The flushes alone are timed, not the publishes before them.
 *
 * @param publishes how many come before each flush, to topics without subscribers where it has not as many: else few topics
 *   would be timed with all they need in the processor's cache, and many not
 */
function deliveries(topics: number, subscribersEach: number, publishes = topics): number {
  const broker = brokerWith(topics, subscribersEach);
  const times: number[] = [];
  const publish = (topic: string) => broker.publish(topic, messages);
  for (let round = 0; round < 60; round++) {
    for (let i = topics; i < publishes; i++) publish(`elsewhere${i}`);
    broker.flush();
    for (let topic = 0; topic < topics; topic++) publish(`t${topic}`);
    const begun = Bun.nanoseconds();
    broker.flush();
    times.push((Bun.nanoseconds() - begun) / (topics * subscribersEach));
  }
  return typical(times.slice(10));
}

/** The tenth percentile: what it costs while nothing else, such as a collection of garbage, runs in between. */
const typical = (times: number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 10)] ?? Number.NaN;

type Column = [head: string, measure: (size: number) => number];

/** Measures all twice and prints the second time, when all of the broker is compiled. */
function table(size: string, sizes: number[], columns: Column[]): void {
  const measured = () => sizes.map((n) => [`${n}`, ...columns.map(([, measure]) => measure(n).toFixed(1))]);
  measured();
  const heads = [size, ...columns.map(([head]) => head)];
  const rows = [heads, heads.map(() => "---"), ...measured()];
  console.log(`\n${rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}`);
}

table("subscribers", [10, 1000, 100_000], [["ns a publish", appends]]);
table("subscribers", [10, 1000, 100_000], [["ns a delivery, one topic", (n) => deliveries(1, n)]]);
table(
  "subscribers",
  [100, 1000, 10_000],
  [
    ["ns a delivery, one topic", (n) => deliveries(1, n, n)],
    ["ns a delivery, a topic each", (n) => deliveries(n, 1)],
  ],
);
