import { describe, expect, test } from "bun:test";
import { ALL_ENDINGS } from "../../src/ops/connection-endings.ts";
import { exposition } from "../../src/ops/exposition.ts";
import { Histogram } from "../../src/ops/histogram.ts";
import { Metrics } from "../../src/ops/metrics.ts";
import { ERRORS, LIMITS, type ErrorCode } from "../../src/protocol/codes.ts";
import { TRANSPORTS } from "../../src/protocol/frames.ts";
import { DROP_REASONS, END_REASONS, RESUME_OUTCOMES } from "../../src/protocol/ledger.ts";
import { parseExposition } from "../support/exposition.ts";

const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERRORS, text);

/** Every sample that is not zero, by its name without the prefix, and its labels' values. */
function moved(act: (metrics: Metrics) => void): Record<string, number> {
  const metrics = new Metrics();
  act(metrics);
  const samples = [...parseExposition(exposition(metrics.all)).values()].flatMap((family) => family.samples);
  const shown = samples.map(({ name, labels, value }) => {
    return [[name.replace(/^pubsub_/, ""), ...Object.values(labels)].join(" "), value] as const;
  });
  return Object.fromEntries(shown.filter(([, value]) => value !== 0));
}

describe("Metrics", () => {
  test.each<[string, (metrics: Metrics) => void]>([
    ["messages_published_total", (metrics) => metrics.published(7)],
    ["events_due_total", (metrics) => metrics.due(7)],
    ["events_delivered_total", (metrics) => metrics.delivered(7)],
    ["events_replayed_total", (metrics) => metrics.replayed(7)],
    ["history_trimmed_total", (metrics) => metrics.trimmed(7)],
    ...DROP_REASONS.map((reason): [string, (metrics: Metrics) => void] => {
      return [`events_dropped_total ${reason}`, (metrics) => metrics.dropped({ [reason]: 7 })];
    }),
    ["received_bytes_total websocket", ({ received }) => (received.websocket += 7)],
    ["received_bytes_total http", ({ received }) => (received.http += 7)],
    ["sent_bytes_total websocket", ({ sent }) => (sent.websocket += 7)],
    ["sent_bytes_total sse", ({ sent }) => (sent.sse += 7)],
  ])("moves %s by the amount, and nothing else", (name, act) => {
    expect(moved(act)).toEqual({ [name]: 7 });
    expect(moved((metrics) => (act(metrics), act(metrics)))).toEqual({ [name]: 14 });
  });

  test.each<[string, (metrics: Metrics) => void]>([
    ["gaps_total", (metrics) => metrics.gapTold()],
    ["heartbeats_missed_total", (metrics) => metrics.missedHeartbeat()],
    ["subscriptions_started_total", (metrics) => metrics.subscribed()],
    ...END_REASONS.map((reason): [string, (metrics: Metrics) => void] => {
      return [`subscriptions_ended_total ${reason}`, (metrics) => metrics.ended(reason)];
    }),
    ...RESUME_OUTCOMES.map((outcome): [string, (metrics: Metrics) => void] => {
      return [`resumes_total ${outcome}`, (metrics) => metrics.resumed(outcome)];
    }),
    ...TRANSPORTS.map((transport): [string, (metrics: Metrics) => void] => {
      return [`connections_opened_total ${transport}`, (metrics) => metrics.opened(transport)];
    }),
    ...ALL_ENDINGS.map((ending): [string, (metrics: Metrics) => void] => {
      return [`connections_closed_total ${ending.side} ${ending.cause}`, (metrics) => metrics.closed(ending)];
    }),
    ...Object.keys(ERRORS)
      .filter(isErrorCode)
      .map((code): [string, (metrics: Metrics) => void] => [
        `errors_total ${code}`,
        (metrics) => metrics.refused(code),
      ]),
  ])("moves %s by one, and nothing else", (name, act) => {
    expect(moved(act)).toEqual({ [name]: 1 });
    expect(moved((metrics) => (act(metrics), act(metrics)))).toEqual({ [name]: 2 });
  });

  test.each([...LIMITS])("counts a refusal by %s beside its error", (limit) => {
    expect(moved((metrics) => metrics.refused("LIMIT_EXCEEDED", limit))).toEqual({
      "errors_total LIMIT_EXCEEDED": 1,
      [`limit_refusals_total ${limit}`]: 1,
    });
  });

  test("keeps the most that ever waited for one subscriber", () => {
    const act = (metrics: Metrics) => [3, 9, 4].forEach((events) => metrics.waiting(events));
    expect(moved(act)).toEqual({ subscriber_backlog_high_water: 9 });
  });

  test("counts HTTP requests under a method that nobody knows as other", () => {
    const found = moved(({ http }) => {
      http.observe("GET", "/topics", 200, 0.001);
      http.observe("MADE-UP", "other", 404, 20);
      http.observe("MADE-UP-TOO", "other", 404, 20);
    });
    const counts = Object.entries(found).filter(([name]) => name.includes("_count"));
    expect(Object.fromEntries(counts)).toEqual({
      "http_request_duration_seconds_count GET /topics 200": 1,
      "http_request_duration_seconds_count other other 404": 2,
    });
  });
});

test("Histogram puts each value into its bucket, and counts it in those above", () => {
  const durations = new Histogram([0.1, 1]);
  for (const seconds of [0, 0.1, 0.2, 1, 5]) durations.observe(seconds);
  expect(durations.samples({ a: "b" })).toEqual([
    { suffix: "_bucket", labels: { a: "b", le: "0.1" }, value: 2 },
    { suffix: "_bucket", labels: { a: "b", le: "1" }, value: 4 },
    { suffix: "_bucket", labels: { a: "b", le: "+Inf" }, value: 5 },
    { suffix: "_sum", labels: { a: "b" }, value: 6.3 },
    { suffix: "_count", labels: { a: "b" }, value: 5 },
  ]);
});
