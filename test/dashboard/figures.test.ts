import { describe, expect, test } from "bun:test";
import { readFigures } from "../../src/dashboard/figures.ts";
import { readDetail, readNodes, readStats } from "../../src/dashboard/read.ts";
import { rate } from "../../src/dashboard/format.ts";
import { appended, columnsOf, growth, INCREMENTS, topicRates, type Point } from "../../src/dashboard/series.ts";

const METRICS = `# HELP pubsub_topics Topics.
# TYPE pubsub_topics gauge
pubsub_topics 2
pubsub_messages_published_total 1042
pubsub_events_due_total 100
pubsub_events_delivered_total 80
pubsub_events_dropped_total{reason="queue_full"} 10
pubsub_events_dropped_total{reason="topic_deleted"} 0
pubsub_events_dropped_unreported 3
pubsub_events_queued 5
pubsub_events_unflushed 2
pubsub_connections{transport="websocket"} 3
pubsub_connections{transport="sse"} 1
pubsub_subscriptions 4
pubsub_subscriptions_lagging 1
pubsub_configured_limit{setting="MAX_TOPICS"} 10000
pubsub_configured_limit{setting="HISTORY_MEMORY_BYTES"} 4096
pubsub_history_bytes 512
process_start_time_seconds 1.7e9
`;

describe("what the page reads", () => {
  test("of the metrics is the server as a whole, with a ledger that balances", () => {
    const { ledger, ...figures } = readFigures(METRICS);
    expect(figures).toEqual({
      published: 1042,
      delivered: 80,
      connections: [
        ["websocket", 3],
        ["sse", 1],
      ],
      subscriptions: 4,
      lagging: 1,
      historyBytes: 512,
      historyLimit: 4096,
      startedAt: 1.7e9,
    });
    expect(ledger).toEqual({
      due: 100,
      delivered: 80,
      dropped: [
        ["queue_full", 10],
        ["not_reported_yet", 3],
      ],
      queued: 5,
      unflushed: 2,
    });
  });

  test("of the metrics is refused if something is not there", () => {
    expect(() => readFigures("pubsub_events_delivered_total 80\n")).toThrow("The server's metrics have no pubsub_");
  });

  test("of a topic is its ledger and those of its subscribers", () => {
    const ledger = { due: 3, delivered: 1, dropped: { queue_full: 1 }, queued: 1, unflushed: 0 };
    const one = {
      client_id: "a",
      transport: "sse",
      queued: 1,
      dropped: 1,
      connected_since: "2026-11-22T02:42:32.354Z",
      ledger,
    };
    const detail = { epoch: "e", seq: 3, oldest_seq: 1, history: { messages: 3, bytes: 9 }, subscribers_total: 2 };
    const read = readDetail({ ...detail, ledger, subscribers: [{ ...one, address: "127.0.0.1" }, one] });
    expect(read.ledger).toEqual({ ...ledger, dropped: [["queue_full", 1]] });
    expect(read.subscribers).toMatchObject([
      { clientId: "a", address: "127.0.0.1", ledger: { due: 3 } },
      { address: undefined, ledger: { due: 3 } },
    ]);
    expect(() => readDetail({ ...detail, subscribers: [] })).toThrow(TypeError);
    const whole = { ...detail, ledger, subscribers: [] };
    expect([read.unanswered, readDetail({ ...whole, unanswered: 2 }).unanswered]).toEqual([0, 2]);
  });

  test("of the nodes is where each is, and which one answered", () => {
    const started_at = "2026-11-22T02:42:32.354Z";
    const node = { id: "a", host: "h", pid: 1, port: 8000, version: "1.2.3", started_at, connections: 4 };
    const all = { id: "a", address: "h:8000", version: "1.2.3", startedAt: Date.parse(started_at), connections: 4 };
    expect(readNodes({ node: "a", nodes: [{ ...node, subscriptions: 5 }] })).toEqual({
      own: "a",
      all: [{ ...all, subscriptions: 5 }],
    });
    expect(() => readNodes({ node: "a", nodes: [node] })).toThrow(TypeError);
  });

  test("is refused if it is not what the server answers", () => {
    for (const answer of [null, [], {}, { topics: { t: { messages: "1" } } }])
      expect(() => readStats(answer)).toThrow(TypeError);
  });
});

describe("a chart", () => {
  test("breaks its lines where nothing is known", () => {
    const points = [[1, 2], [undefined, undefined], [3]].map((values, at) => ({ at, values }));
    expect(columnsOf(points, 2)).toEqual([
      [0, 1, 2],
      [1, null, 3],
      [2, null, null],
    ]);
  });

  test("has ticks that are not rounded", () => {
    // As far as there may be ticks of that increment, of which a chart has fewer than ten.
    for (const increment of INCREMENTS.filter((one) => one <= 1_000_000)) {
      for (let i = 0; i < 10; i++) {
        const written = rate(increment * i).replaceAll(",", "");
        const unit = { K: 1000, M: 1_000_000 }[written.at(-1) ?? ""] ?? 1;
        expect(parseFloat(written) * unit).toBeCloseTo(increment * i, 6);
      }
    }
  });
});

describe("a rate", () => {
  test("is what a counter grew by in a second, and is not known where it was set back", () => {
    expect(growth(10, 30, 2000)).toBe(10);
    expect(growth(30, 10, 1000)).toBeUndefined();
    expect(growth(1, 2, 0)).toBe(0);
  });

  test("of what a topic delivered is known only if all nodes have answered, both times", () => {
    const at = (seq: number, delivered: number, unanswered = 0, epoch = "e") => {
      const ledger = { due: delivered, delivered, dropped: [], queued: 0, unflushed: 0 };
      return { epoch, seq, oldestSeq: 1, messages: seq, bytes: 0, total: 1, ledger, subscribers: [], unanswered };
    };
    expect(topicRates(at(1, 10), at(3, 30), 1000)).toEqual([2, 20]);
    // A node is silent, has answered again, or is gone with all that it had counted.
    expect(topicRates(at(1, 10), at(3, 5, 1), 1000)).toEqual([2, undefined]);
    expect(topicRates(at(1, 5, 1), at(3, 30), 1000)).toEqual([2, undefined]);
    expect(topicRates(at(1, 10), at(3, 5), 1000)).toEqual([2, undefined]);
    expect(topicRates(at(9, 90), at(10, 95, 0, "next"), 1000)).toEqual([undefined, undefined]);
    expect(topicRates(undefined, at(1, 1), 0)).toEqual([undefined, undefined]);
  });

  test("is kept for as long as the chart is wide", () => {
    let points: readonly Point[] = [];
    for (let at = 1; at <= 500; at++) points = appended(points, { at, values: [at] });
    expect([points.length, points.at(-1)?.at]).toEqual([180, 500]);
  });
});
