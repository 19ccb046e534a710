import { expect, test } from "bun:test";
import { FRAMES_A_TURN, Intake, type Frame, type Sender } from "../../src/transport/intake.ts";
import { range } from "../support/account.ts";
import { until } from "../support/stats.ts";

class FakeSender implements Sender {
  readonly waiting: Frame[] = [];
  turn = -1;
  handled = 0;
  hasUnread = false;
  isCrowded = false;
  open = true;
  readonly seen: Frame[] = [];
  /** After how many frames it has to read its answers. */
  patience = Number.POSITIVE_INFINITY;

  crowd(on: boolean): void {
    this.isCrowded = on;
  }
}

function setUp(mostBytes: number) {
  const cut: FakeSender[] = [];
  const dropped: FakeSender[] = [];
  const intake = new Intake<FakeSender>(
    {
      handle: (sender, frame) => {
        sender.seen.push(frame);
        sender.hasUnread = sender.seen.length >= sender.patience;
      },
      failed: (cause) => expect.unreachable(String(cause)),
      cut: (sender) => cut.push(sender),
      dropped: (sender) => dropped.push(sender),
    },
    mostBytes,
  );
  return { intake, cut, dropped };
}

const numbers = (count: number) => range(1, count).map(String);

test("Intake handles every frame in order, those of one turn at once and the others in later ones", async () => {
  const { intake } = setUp(1e9);
  const senders = [new FakeSender(), new FakeSender()];
  for (const frame of numbers(1000)) for (const sender of senders) intake.take(sender, frame);
  for (const sender of senders) {
    expect(sender.seen).toHaveLength(FRAMES_A_TURN);
    expect(sender.isCrowded).toBe(true);
  }
  await until(async () => senders.every(({ isCrowded }) => !isCrowded));
  for (const { seen } of senders) expect(seen).toEqual(numbers(1000));
});

test("Intake lets no more wait than it may: past that frames are handled as they come, in their order", async () => {
  const { intake, cut } = setUp(10_000);
  const [first, second] = [new FakeSender(), new FakeSender()];
  for (const frame of numbers(5000)) intake.take(first, frame);
  const waits = () => [first, second].flatMap(({ waiting }) => waiting).length;
  expect(waits()).toBeLessThan(10_000 / 48);
  expect(first.seen.length + first.waiting.length).toBe(5000);
  for (const frame of numbers(5000)) {
    intake.take(second, frame);
    expect(waits()).toBeLessThan(10_000 / 48);
  }
  await until(async () => waits() === 0);
  for (const { seen } of [first, second]) expect(seen).toEqual(numbers(5000));
  expect(cut).toEqual([]);
  // What was counted is free again.
  for (const frame of numbers(FRAMES_A_TURN + 50)) intake.take(first, frame);
  expect(first.waiting.length).toBeGreaterThanOrEqual(50);
});

test("Intake has one cut off that does not read its answers, when too much waits", () => {
  const { intake, cut } = setUp(10_000);
  const [deaf, other] = [new FakeSender(), new FakeSender()];
  deaf.patience = 300;
  for (const frame of numbers(5000)) if (!cut.includes(deaf)) intake.take(deaf, frame);
  expect(cut).toEqual([deaf]);
  expect(deaf.seen).toEqual(numbers(300));
  expect(deaf.waiting).toEqual([]);
  // Its room is free for others.
  for (const frame of numbers(FRAMES_A_TURN + 100)) intake.take(other, frame);
  expect(other.waiting).toHaveLength(100);
});

test("Intake drops what those have left behind that are gone before others are held up, and no more than it must", () => {
  const { intake, dropped } = setUp(10_000);
  const [gone, goneToo, other] = [new FakeSender(), new FakeSender(), new FakeSender()];
  for (const sender of [gone, goneToo]) for (const frame of numbers(FRAMES_A_TURN + 60)) intake.take(sender, frame);
  gone.open = goneToo.open = false;
  for (const frame of numbers(FRAMES_A_TURN + 100)) intake.take(other, frame);
  expect(dropped).toEqual([gone]);
  expect([gone, goneToo, other].map(({ waiting }) => waiting.length)).toEqual([0, 60, 100]);
});

test("Intake forgets what a close has taken away", async () => {
  const { intake } = setUp(10_000);
  const sender = new FakeSender();
  for (let round = 0; round < 5; round++) {
    for (const frame of numbers(400)) intake.take(sender, frame);
    expect(sender.waiting.length).toBeGreaterThan(100);
    sender.waiting.length = 0;
    await until(async () => !sender.isCrowded);
  }
});
