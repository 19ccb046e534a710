import { describe, expect, test } from "bun:test";
import { keysIn } from "../../src/cli/screen.ts";
import { styleFor } from "../../src/cli/style.ts";
import { TopModel, type Sample } from "../../src/cli/top-model.ts";
import { topicScreen, topicsScreen, truncated } from "../../src/cli/top-screen.ts";

/** A look at a server whose topics have so many messages. */
function sample(at: number, messages: Record<string, number>, queued: Record<string, number> = {}): Sample {
  const stats = Object.fromEntries(
    Object.entries(messages).map(([name, count]) => [name, { messages: count, subscribers: 1 }]),
  );
  const details = Object.entries(queued).map(([topic, waiting]) => {
    const one = {
      client_id: `reader of ${topic}`,
      transport: "websocket",
      queued: waiting,
      dropped: 2 * waiting,
    } as const;
    const ledger = {
      due: 3 * waiting,
      delivered: 0,
      dropped: { queue_full: 2 * waiting },
      queued: waiting,
      unflushed: 0,
    };
    const subscribers = [{ ...one, ledger, connected_since: "2026-01-02T03:04:05.678Z" }];
    const seq = messages[topic] ?? 0;
    const rest = { epoch: "e", seq, oldest_seq: 1, history: { messages: seq, bytes: 7 }, subscribers_total: 1, ledger };
    return [topic, { topic, ...rest, subscribers }] as const;
  });
  const metrics = new Map([["pubsub_events_delivered_total", at]]);
  return { at, stats, details: new Map(details), metrics, uptimeSec: 61 };
}

function modelOf(...samples: Sample[]): TopModel {
  const model = new TopModel();
  for (const one of samples) model.add(one);
  return model;
}

const names = (model: TopModel) => model.rows().map(({ name }) => name);
const viewOf = (model: TopModel, rows = 24) => {
  return { url: "http://x", model, size: { columns: 80, rows }, style: styleFor(false, {}), problem: undefined };
};

describe("TopModel", () => {
  test("has rates from two looks, and none of what was not there before or has begun anew", () => {
    const model = modelOf(sample(0, { a: 10, again: 9 }), sample(2000, { a: 30, again: 1, late: 5 }));
    const rates = Object.fromEntries(model.rows().map(({ name, rate }) => [name, rate]));
    expect(rates).toEqual({ a: 10, again: undefined, late: undefined });
    expect(model.totals()).toMatchObject({ topics: 3, subscribers: 3, rate: 10, deliveries: 1000, drops: undefined });
    expect(modelOf(sample(0, { a: 1 })).totals().rate).toBeUndefined();
  });

  test("sorts by a column, by the same again the other way round, and what is not known comes last", () => {
    const model = modelOf(sample(0, { a: 0, b: 0, c: 0 }), sample(1000, { a: 1, b: 3, c: 2 }, { a: 4, c: 9 }));
    expect(names(model)).toEqual(["b", "c", "a"]);
    model.sortBy("name");
    expect(names(model)).toEqual(["a", "b", "c"]);
    model.sortBy("name");
    expect(names(model)).toEqual(["c", "b", "a"]);
    model.sortBy("backlog");
    expect(names(model)).toEqual(["c", "a", "b"]);
  });

  test("keeps the topic that is chosen where rows change places, and stays within them", () => {
    const model = modelOf(sample(0, { a: 0, b: 0 }), sample(1000, { a: 2, b: 1 }));
    model.move(1);
    expect(model.selected).toBe("b");
    model.add(sample(2000, { a: 2, b: 9 }));
    expect(model.selectedIndex(model.rows())).toBe(0);
    model.move(-5);
    expect(model.selected).toBe("b");
    model.move(5);
    expect(model.selected).toBe("a");
    model.add(sample(3000, { b: 9 }));
    expect(model.selectedIndex(model.rows())).toBe(0);
  });
});

describe("the screen of top", () => {
  test("has the topics in columns, sums above and keys below", () => {
    const lines = topicsScreen(viewOf(modelOf(sample(0, { a: 0, b: 0 }), sample(1000, { a: 2000, b: 1 }, { a: 3 }))));
    expect(lines.slice(0, 2)).toEqual([
      "http://x   up 1m 1s   CPU -   memory -",
      "topics 2   subscribers 2   2001 messages/s   1000 deliveries/s   - drops/s",
    ]);
    expect(lines.slice(3, 6)).toEqual([
      "TOPIC  MSG/S↓  MESSAGES  SUBSCRIBERS  BACKLOG  DROPS",
      "\u001b[7ma        2000      2000            1        3      6\u001b[27m",
      "b         1.0         1            1        -      -",
    ]);
    expect(lines.at(-1)).toContain("quit: q");
  });

  test("fits, and shows the topic that is chosen among 1,000", () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`t${1000 + index}`, 0]));
    const model = modelOf(sample(0, many));
    model.selected = "t1777";
    const lines = topicsScreen(viewOf(model, 12));
    expect(lines.length).toBeLessThanOrEqual(12);
    expect(lines.some((line) => line.includes("t1777") && line.includes("\u001b[7m"))).toBe(true);
  });

  test("of one topic has its subscribers, or says that it is gone", () => {
    const model = modelOf(sample(0, { a: 5 }, { a: 3 }));
    const lines = topicScreen("a", viewOf(model));
    expect(lines).toContain("reader of a  websocket       3        6  2026-01-02 03:04:05");
    expect(lines).toContain("history  5 messages from 1 on, 7 bytes");
    expect(topicScreen("gone", viewOf(model)).join()).toContain("not there any more");
  });

  test("cuts off names that are too long, whatever their width", () => {
    expect(truncated("short", 5)).toBe("short");
    expect(truncated("longer", 5)).toBe("long…");
    expect(truncated("日本語", 5)).toBe("日本…");
  });
});

test("keys are read from what a terminal sends, also several at once", () => {
  expect(keysIn("\u001b[A\u001bOBq")).toEqual(["up", "down", "quit"]);
  expect(keysIn("\u001b")).toEqual(["back"]);
  expect(keysIn("r\r\u0003")).toEqual(["r", "enter", "quit"]);
});
