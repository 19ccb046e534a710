import { expect, test } from "bun:test";
import type { Published } from "../../src/protocol/encode.ts";
import { makeBroker } from "../support/make-broker.ts";
import { Random, seedOfRun } from "../support/random.ts";

/** A topic as the protocol tells of it: its history, and which of it was published with `dedupe`. */
class Model {
  readonly #maxHistory: number;
  #history: { seq: number; ts: string; id: string; dedupe: boolean }[] = [];
  #seq = 0;

  constructor(maxHistory: number) {
    this.#maxHistory = maxHistory;
  }

  /** What history lost for its bound on memory. */
  trimTo(oldest: number): void {
    this.#history = this.#history.filter(({ seq }) => seq >= oldest);
  }

  publish(ids: readonly string[], dedupe: boolean, ts: string): Omit<Published, "text"> {
    const known = ids.flatMap((id) => {
      const same = this.#history.findLast((one) => one.dedupe && one.id.toLowerCase() === id.toLowerCase());
      return dedupe && same !== undefined ? [same] : [];
    });
    const seen = new Set(known.map(({ id }) => id.toLowerCase()));
    const fresh = ids.filter((id) => {
      if (!dedupe) return true;
      const isNew = !seen.has(id.toLowerCase());
      seen.add(id.toLowerCase());
      return isNew;
    });
    if (fresh.length === 0) {
      const places = [...new Set(known)].sort((a, b) => a.seq - b.seq);
      const [first, last] = [places[0], places.at(-1)];
      if (first === undefined || last === undefined) throw new Error("Nothing was published");
      return { first: first.seq, seq: last.seq, ts: last.ts, count: places.length, duplicate: true };
    }
    const first = this.#seq + 1;
    for (const id of fresh) this.#history.push({ seq: ++this.#seq, ts, id, dedupe });
    this.#history = this.#history.filter(({ seq }) => seq > this.#seq - this.#maxHistory);
    return { first, seq: this.#seq, ts, count: fresh.length, duplicate: false };
  }
}

const ID = (n: number) => `00000000-0000-0000-0000-${n.toString(16).padStart(12, "0")}`;

test("Broker and engine publish what history has no second time: 200 seeded rounds against a model", () => {
  const seed = seedOfRun();
  const random = new Random(seed);
  let duplicates = 0;
  for (let round = 0; round < 200; round++) {
    const maxHistory = random.int(12);
    const tight = random.chance(0.3);
    const historyMemoryBytes = tight ? 4000 : 1e9;
    const limits = { maxHistory, maxSubscriberQueue: 1 + random.int(20), historyMemoryBytes };
    const broker = makeBroker({ limits });
    let model = new Model(maxHistory);
    for (let step = 0; step < 60; step++) {
      broker.now = `2026-01-01T00:00:${String(step).padStart(2, "0")}.000Z`;
      if (random.chance(0.02) && broker.stats.topics > 0) {
        broker.deleteTopic("t");
        model = new Model(maxHistory);
      }
      const ids = Array.from({ length: 1 + random.int(4) }, () => {
        const id = ID(random.int(16));
        return random.chance(0.5) ? id : id.toUpperCase();
      });
      const dedupe = random.chance(0.7);
      const messages = ids.map((id) => ({ id, payload: `"${"x".repeat(random.int(100))}"` }));
      const { text: _, ...published } = broker.publish("t", messages, undefined, dedupe);
      expect({ seed, round, step, ...published }).toEqual({
        seed,
        round,
        step,
        ...model.publish(ids, dedupe, broker.now),
      });
      if (published.duplicate) duplicates++;
      if (random.chance(0.5)) broker.flush();
      model.trimTo(broker.topicDetail("t").oldestSeq);
    }
  }
  expect(duplicates).toBeGreaterThan(500);
});

test("Broker counts the index of ids as history, and keeps it within the same bound", () => {
  const historyMemoryBytes = 100_000;
  const broker = makeBroker({ limits: { maxHistory: 1_000_000, historyMemoryBytes } });
  const size = (dedupe: boolean) => {
    const before = broker.stats.historyBytes;
    broker.publish("t", [{ id: ID(dedupe ? 1 : 2), payload: "1" }], undefined, dedupe);
    return broker.stats.historyBytes - before;
  };
  expect(size(true)).toBeGreaterThan(size(false) + ID(1).length);
  for (let n = 3; n < 3000; n++) broker.publish("t", [{ id: ID(n), payload: "1" }], undefined, true);
  broker.flush();
  expect(broker.stats.historyBytes).toBeLessThanOrEqual(historyMemoryBytes);
  expect(broker.find("t", ID(3))).toBeUndefined();
  expect(broker.find("t", ID(2999))).toEqual({ seq: 2999, ts: "now" });
});
