import { expect, test } from "bun:test";
import { Inbox } from "../../src/client/inbox.ts";
import type { Item } from "../../src/client/items.ts";
import { range } from "../support/account.ts";
import { Random, seedOfRun } from "../support/random.ts";

const event = (epoch: string, seq: number): Item => {
  return { type: "event", topic: "t", epoch, seq, ts: "now", id: "i", payload: seq };
};
const gap = (epoch: string, first_seq: number, last_seq: number | undefined): Item => {
  const reason = last_seq === undefined ? "epoch" : "slow";
  return { type: "gap", topic: "t", epoch, first_seq, last_seq, reason, status: "missing" };
};

test("Inbox hands out every number once and in order, as an event or in a gap, and holds no more events than it may", async () => {
  const seed = seedOfRun();
  const random = new Random(seed);
  for (let round = 0; round < 300; round++) {
    const most = 1 + random.int(6);
    const overflow = random.pick(["drop_oldest", "latest"] as const);
    const inbox = new Inbox(most, overflow);
    const handedOut: Item[] = [];
    const expected: string[] = [];
    let epoch = "e0";
    let seq = 0;
    let waiting = 0;
    for (let step = 0; step < 60; step++) {
      const what = random.int(10);
      if (what < 5) {
        inbox.push(event(epoch, ++seq));
        expected.push(`${epoch}:${seq}`);
        waiting++;
      } else if (what < 7) {
        const last = seq + 1 + random.int(3);
        inbox.push(gap(epoch, seq + 1, last));
        expected.push(...range(seq + 1, last).map((n) => `${epoch}:${n}`));
        seq = last;
        waiting++;
      } else if (what < 8) {
        inbox.push(gap(epoch, seq + 1, undefined));
        expected.push(`${epoch} ends`);
        epoch = `e${step}`;
        seq = 0;
        waiting++;
      } else if (waiting > 0) {
        const item = await Promise.race([inbox.take(), Bun.sleep(0)]);
        if (item === undefined) break;
        handedOut.push(item);
        waiting = 0;
      }
    }
    inbox.end(undefined);
    for (let item = await inbox.take(); item !== undefined; item = await inbox.take()) handedOut.push(item);
    const told = handedOut.flatMap((item) => {
      if (item.type === "event") return [`${item.epoch}:${item.seq}`];
      if (item.last_seq === undefined) return [`${item.epoch} ends`];
      return range(item.first_seq, item.last_seq).map((n) => `${item.epoch}:${n}`);
    });
    expect({ seed, round, told }).toEqual({ seed, round, told: expected });
  }
});

test("Inbox of a reader that never reads holds its bound of events, the newest, and as many gaps at the most", async () => {
  const inbox = new Inbox(5, "drop_oldest");
  for (let seq = 1; seq <= 10_000; seq++) inbox.push(seq % 3 === 0 ? gap("e", seq, seq) : event("e", seq));
  inbox.end(undefined);
  const items: Item[] = [];
  for (let item = await inbox.take(); item !== undefined; item = await inbox.take()) items.push(item);
  expect(items.filter(({ type }) => type === "event")).toHaveLength(5);
  expect(items.length).toBeLessThanOrEqual(11);
  expect(items[0]).toMatchObject({ type: "gap", first_seq: 1 });
  expect(items.at(-1)).toMatchObject({ seq: 10_000 });
});

test("Inbox that may not lose anything says when it would", () => {
  const inbox = new Inbox(2, "disconnect");
  expect([1, 2, 3].map((seq) => inbox.push(event("e", seq)))).toEqual([true, true, false]);
});
