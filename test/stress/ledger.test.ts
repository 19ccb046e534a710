import { describe, expect, test } from "bun:test";
import { Random, seedOfRun } from "../support/random.ts";
import { ENGINES, startTestServer } from "../support/server.ts";
import { Ledger, type Ask, type Ending, type Grant, type Range } from "./ledger.ts";
import { startSource } from "./source-server.ts";
import { stress, type Plan } from "./stress.ts";

const SECONDS = 3;

const env = ({ maxHistory, queue }: { maxHistory: number; queue: number }) => ({
  MAX_HISTORY: String(maxHistory),
  MAX_SUBSCRIBER_QUEUE: String(queue),
  HEARTBEAT_INTERVAL_MS: "4000",
});

describe("under stress every ledger balances and nothing is left over,", () => {
  const run = async (server: { url: string; port: number }, plan: Omit<Plan, "seed" | "seconds">) => {
    const { received, dropped, cuts, stalls, takeovers, resumed } = await stress(server, {
      ...plan,
      seed: seedOfRun(),
      seconds: SECONDS,
    });
    for (const [what, times] of Object.entries({ received, dropped, cuts, stalls, takeovers, resumed })) {
      happened.set(what, (happened.get(what) ?? 0) + times);
    }
  };
  /** How often what happened, over all the runs: each alone may be too short for the rarest on a machine that is busy. */
  const happened = new Map<string, number>();

  test.each([
    ["smaller than the queue", { maxHistory: 10, queue: 30 }],
    ["as large as the queue", { maxHistory: 25, queue: 25 }],
    ["larger than the queue", { maxHistory: 100, queue: 20 }],
    ["none at all", { maxHistory: 0, queue: 25 }],
  ])("with a history that is %s", async (_, plan) => {
    await using server = await startSource(env(plan));
    await run(server, plan);
    await server.stop();
  });

  test("with memory for less history than there may be, in this very process", async () => {
    const plan = { maxHistory: 100, queue: 25, scarce: true };
    const server = startTestServer({ ...env(plan), HISTORY_MEMORY_BYTES: "3000000" });
    await run(server, plan);
    await server.stop();
    expect(server.lines).toEqual([]);
  });

  test("with an engine that answers late, in this very process", async () => {
    const plan = { maxHistory: 100, queue: 25 };
    const server = startTestServer(env(plan), ENGINES["that answers late"]);
    await run(server, plan);
    await server.stop();
    expect(server.lines).toEqual([]);
  });

  test("and everything that can go wrong has happened", () => {
    expect([...happened].filter(([, times]) => times === 0)).toEqual([]);
    expect(happened.size).toBe(6);
  });
});

type Gap = Range & { dropped: number };

/** What a ledger is told, to be told otherwise. */
type Entry =
  | { told: "granted"; ask: Ask; grant: Grant }
  | { told: "received"; seq: number }
  | { told: "gap"; gap: Gap }
  | { told: "ended"; how: Ending };

const MAX_HISTORY = 10;

/** A ledger of these entries, balanced. */
function balance(entries: readonly Entry[], newest?: number) {
  const ledger = new Ledger("the ledger", { maxHistory: MAX_HISTORY });
  for (const entry of entries) {
    if (entry.told === "granted") ledger.granted(entry.ask, entry.grant);
    else if (entry.told === "received") ledger.received(entry.seq);
    else if (entry.told === "gap") ledger.gap(entry.gap);
    else ledger.ended(entry.how);
  }
  return ledger.balance(newest);
}

const granted = (since: number | undefined, seq: number): Entry => {
  const ask = { overflow: "drop_oldest" } as const;
  if (since === undefined) return { told: "granted", ask, grant: { seq, replay: 0 } };
  const lost = Math.max(0, seq - MAX_HISTORY);
  const missed = { first_seq: since + 1, last_seq: lost };
  const outcome = since < lost ? { recovered: false, missed } : { recovered: true };
  return { told: "granted", ask: { ...ask, since }, grant: { seq, replay: seq - Math.max(since, lost), ...outcome } };
};
const received = (seq: number): Entry => ({ told: "received", seq });
const gap = (first: number, last: number): Entry => {
  return { told: "gap", gap: { first_seq: first, last_seq: last, dropped: last - first + 1 } };
};
const ended = (how: Ending): Entry => ({ told: "ended", how });

/** What a subscriber is told that is treated as it should be, from one connection to the next, and where it got to. */
function honestEntries(random: Random): { entries: Entry[]; newest: number } {
  const entries: Entry[] = [];
  let newest = random.int(20);
  let at: number | undefined;
  for (let connection = 0; connection < 6; connection++) {
    newest += random.int(15);
    const lost = Math.max(0, newest - MAX_HISTORY);
    entries.push(granted(at, newest));
    at = at === undefined ? newest : Math.max(at, lost);
    newest += 1 + random.int(12);
    while (at < newest) {
      const last: number = Math.min(newest, at + 1 + random.int(5));
      if (random.chance(0.3)) entries.push(gap(at + 1, last));
      else for (let seq = at + 1; seq <= last; seq++) entries.push(received(seq));
      at = last;
    }
    if (connection < 5) entries.push(ended("cut"));
  }
  return { entries, newest };
}

/** The entries with one of them told wrongly; undefined where this one cannot be. */
const FALSIFICATIONS: Record<string, (entry: Entry) => Entry[] | undefined> = {
  "an event is left out": (entry) => (entry.told === "received" ? [] : undefined),
  "an event comes twice": (entry) => (entry.told === "received" ? [entry, entry] : undefined),
  "an event has the number of the next": (entry) => (entry.told === "received" ? [received(entry.seq + 1)] : undefined),
  "a gap is left out": (entry) => (entry.told === "gap" ? [] : undefined),
  "a gap is reported twice": (entry) => (entry.told === "gap" ? [entry, entry] : undefined),
  "a gap is shifted by one": (entry) => shifted(entry, 1, 1),
  "a gap is shifted back by one": (entry) => shifted(entry, -1, -1),
  "a gap begins too late": (entry) => shifted(entry, 1, 0),
  "a gap ends too late": (entry) => shifted(entry, 0, 1),
  "a gap is miscounted": (entry) => {
    return entry.told === "gap" ? [{ ...entry, gap: { ...entry.gap, dropped: entry.gap.dropped + 1 } }] : undefined;
  },
  "an ack is left out": (entry) => (entry.told === "granted" ? [] : undefined),
  "what was recovered is denied": (entry) => outcome(entry, { recovered: false }, true),
  "what was not recovered is claimed": (entry) => outcome(entry, { recovered: true }, false),
  "what was missed is not said": (entry) => outcome(entry, { missed: undefined }, false),
};

function shifted(entry: Entry, first: number, last: number): Entry[] | undefined {
  if (entry.told !== "gap") return undefined;
  return [gap(entry.gap.first_seq + first, entry.gap.last_seq + last)];
}

function outcome(entry: Entry, change: Partial<Grant>, recovered: boolean): Entry[] | undefined {
  if (entry.told !== "granted" || entry.grant.recovered !== recovered) return undefined;
  return [{ ...entry, grant: { ...entry.grant, ...change } }];
}

describe("Ledger", () => {
  test("balances what a subscriber is told that is treated as it should be", () => {
    for (let seed = 0; seed < 200; seed++) {
      const { entries, newest } = honestEntries(new Random(seed));
      const count = entries.filter(({ told }) => told === "received").length;
      expect(balance(entries, newest)).toMatchObject({ received: count, skipped: 0 });
    }
  });

  test.each(Object.entries(FALSIFICATIONS))("does not balance where %s", (_, falsify) => {
    let falsified = 0;
    for (let seed = 0; seed < 200; seed++) {
      const { entries, newest } = honestEntries(new Random(seed));
      for (const [index, entry] of entries.entries()) {
        const told = falsify(entry);
        if (told === undefined) continue;
        falsified++;
        const wrong = entries.toSpliced(index, 1, ...told);
        expect(() => balance(wrong, newest), JSON.stringify({ seed, index, entry })).toThrow("the ledger: ");
      }
    }
    expect(falsified).toBeGreaterThan(100);
  });

  test("does not balance where a subscriber who stayed did not get to the end", () => {
    expect(() => balance([granted(undefined, 3), received(4)], 5)).toThrow(
      "accounted for up to 4, and the last seq is 5",
    );
  });
});
