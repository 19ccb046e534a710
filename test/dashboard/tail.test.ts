import { describe, expect, test } from "bun:test";
import { PubSubError, type Gap, type HistoryOptions, type TopicEvent } from "../../src/client/index.ts";
import { fetchGap } from "../../src/dashboard/gap-fetch.ts";
import { gapRow, notShownBetween, eventRow, type GapRow } from "../../src/dashboard/rows.ts";

const TOPIC = "t";

function event(seq: number, epoch = "e"): TopicEvent<string> {
  return { type: "event", topic: TOPIC, epoch, seq, ts: "2026-11-22T02:42:32.354Z", id: `${seq}`, payload: "1" };
}

function gap(first_seq: number, last_seq: number | undefined, epoch = "e"): Gap {
  return { type: "gap", topic: TOPIC, epoch, first_seq, last_seq, reason: "slow", status: "missing" };
}

/** A history of what is from `oldest` to `seq`, in pages of 150. */
function historyOf(oldest: number, seq: number) {
  return {
    history: async (_topic: string, { since = { epoch: "e", seq: 0 }, until = seq }: HistoryOptions) => {
      if (since.epoch !== "e") throw new PubSubError("EPOCH_OVER", "over");
      const first = Math.max(oldest, since.seq + 1);
      const all = Array.from({ length: Math.max(0, until - first + 1) }, (_, i) => event(first + i));
      return { epoch: "e", oldest_seq: oldest, seq, more: all.length > 150, events: all.slice(0, 150) };
    },
  };
}

/** The ranges of rows, with what is known of each. */
function told(rows: readonly GapRow[]) {
  return rows.map(({ gap: { first_seq, last_seq }, fetch }) => {
    return [first_seq, last_seq, fetch.is === "done" ? { found: fetch.found.length, lost: fetch.lost } : fetch.is];
  });
}

describe("a gap that is fetched", () => {
  test("leaves what it does not show as a gap of its own, until nothing is left", async () => {
    const first = await fetchGap(historyOf(1, 1000), gapRow(gap(11, 460)));
    expect(told(first)).toEqual([
      [11, 210, { found: 200, lost: 0 }],
      [211, 460, "offered"],
    ]);
    const [, rest] = first;
    const second = await fetchGap(historyOf(1, 1000), rest ?? gapRow(gap(0, 0)));
    expect(told(second)).toEqual([
      [211, 410, { found: 200, lost: 0 }],
      [411, 460, "offered"],
    ]);
    const [, end] = second;
    expect(told(await fetchGap(historyOf(1, 1000), end ?? gapRow(gap(0, 0))))).toEqual([
      [411, 460, { found: 50, lost: 0 }],
    ]);
  });

  test("says at once what history has no more, and shows the first that it has", async () => {
    expect(told(await fetchGap(historyOf(401, 1000), gapRow(gap(11, 700))))).toEqual([
      [11, 600, { found: 200, lost: 390 }],
      [601, 700, "offered"],
    ]);
    expect(told(await fetchGap(historyOf(900, 1000), gapRow(gap(11, 700))))).toEqual([
      [11, 700, { found: 0, lost: 690 }],
    ]);
  });

  test("of a life that is over is lost", async () => {
    expect(told(await fetchGap(historyOf(1, 9), gapRow(gap(1, 5, "before"))))).toEqual([[1, 5, { found: 0, lost: 5 }]]);
  });
});

describe("between two rows", () => {
  test("stands how many messages were left out, and never those of a gap or of another life", () => {
    const [five, eight] = [eventRow(event(5)), eventRow(event(8))];
    expect(notShownBetween(eight, five)).toBe(2);
    expect(notShownBetween(five, eventRow(event(4)))).toBe(0);
    expect(notShownBetween(eight, gapRow(gap(6, 7)))).toBe(0);
    expect(notShownBetween(gapRow(gap(7, 7)), five)).toBe(1);
    expect(notShownBetween(eight, eventRow(event(3, "before")))).toBe(0);
    expect(notShownBetween(eight, gapRow(gap(3, undefined, "before")))).toBe(0);
    expect(notShownBetween(eight, undefined)).toBe(0);
  });
});
