import { expect, test } from "bun:test";
import { PublishLimits, PublishRate, TokenBucket } from "../../src/ops/publish-limits.ts";

const messages = (count: number, size = 1) =>
  Array.from({ length: count }, () => ({ id: "i", payload: "x".repeat(size) }));
const limited = (limit: string) => expect.objectContaining({ code: "LIMIT_EXCEEDED", limit });

test("TokenBucket gives a second's worth at once, then so much a second, and saves no more than that", () => {
  const bucket = new TokenBucket(10, 0);
  const take = (amount: number, now: number) => {
    const has = bucket.hasRoom(amount, now);
    if (has) bucket.take(amount);
    return has;
  };
  expect([take(10, 0), take(1, 0), take(1, 99), take(1, 100), take(1, 100)]).toEqual([true, false, false, true, false]);
  expect([take(10, 60_000), take(1, 60_000)]).toEqual([true, false]);
});

test("TokenBucket lets what is larger than itself through when it is full, and then has it paid back", () => {
  const bucket = new TokenBucket(10, 0);
  expect(bucket.hasRoom(25, 0)).toBe(true);
  bucket.take(25);
  expect([bucket.hasRoom(1, 1500), bucket.hasRoom(1, 1600)]).toEqual([false, true]);
});

test("TokenBucket gives nothing for a clock that goes back", () => {
  const bucket = new TokenBucket(10, 1000);
  bucket.take(10);
  expect([bucket.hasRoom(1, 0), bucket.hasRoom(1, 50), bucket.hasRoom(1, 100)]).toEqual([false, false, true]);
});

test("PublishRate names what is exceeded, and takes nothing off for what it refuses", () => {
  const rate = new PublishRate({ maxBatchMessages: 9, maxMessagesPerSecond: 5, maxBytesPerSecond: 100 }, 0);
  expect(() => rate.take(messages(2, 101), 0)).not.toThrow();
  expect(() => rate.take(messages(1), 0)).toThrow(limited("MAX_BYTES_PER_SECOND"));
  const other = new PublishRate({ maxBatchMessages: 9, maxMessagesPerSecond: 5, maxBytesPerSecond: 0 }, 0);
  other.take(messages(4), 0);
  expect(() => other.take(messages(2), 0)).toThrow(limited("MAX_MESSAGES_PER_SECOND"));
  expect(() => other.take(messages(1), 0)).not.toThrow();
});

test("PublishLimits bounds a batch, and each connection and address by itself", () => {
  const limits = new PublishLimits({ maxBatchMessages: 3, maxMessagesPerSecond: 2, maxBytesPerSecond: 0 });
  expect(() => limits.check("1.2.3.4", messages(4))).toThrow(limited("MAX_BATCH_MESSAGES"));
  const [one, other] = [{}, {}];
  for (const publisher of [one, other, "1.2.3.4", "1.2.3.5"]) {
    limits.check(publisher, messages(2));
    expect(() => limits.check(publisher, messages(1))).toThrow(limited("MAX_MESSAGES_PER_SECOND"));
  }
});
