import { describe, expect, test } from "bun:test";
import { connect, PubSubError, type ConnectOptions } from "../../src/client/index.ts";
import { range } from "../support/account.ts";
import { until } from "../support/stats.ts";
import { FakeServer, type Asked } from "./fake-server.ts";

/** A client that is closed at the end of the test, and what it told `onError`. */
function open(url: string, options: ConnectOptions = {}) {
  const errors: unknown[] = [];
  const client = connect<{ [topic: string]: number }>(url, {
    backoff: { firstMs: 20, mostMs: 40 },
    onError: (cause) => errors.push(cause instanceof PubSubError ? cause.code : cause),
    ...options,
  });
  return { client, errors, [Symbol.asyncDispose]: () => client.close() };
}

const codeOf = (publish: Promise<unknown>) =>
  publish.then(
    () => "resolved",
    (cause: unknown) => (cause instanceof PubSubError ? cause.code : cause),
  );
const payloadsOf = (frames: Asked[]) => frames.map(({ message }) => message?.payload);

/** Long enough for a client that would send something to have sent it. */
const A_WHILE_MS = 100;

describe("A publish that is answered UNAVAILABLE", () => {
  test("is sent again under its id, until it is acked, and onError is told once", async () => {
    await using server = new FakeServer();
    await using one = open(server.url);
    const published = one.client.publish("t", 1);
    const first = await server.next("publish");
    server.refuse(first, "UNAVAILABLE");
    const second = await server.next("publish");
    expect(second.message).toEqual(first.message);
    server.refuse(second, "UNAVAILABLE");
    server.ack(await server.next("publish"), { epoch: "e", seq: 7, duplicate: true });
    expect(await published).toMatchObject({ seq: 7, duplicate: true });
    expect(one.errors).toEqual(["UNAVAILABLE"]);
    const later = one.client.publish("t", 2);
    server.refuse(await server.next("publish"), "UNAVAILABLE");
    server.ack(await server.next("publish"), { epoch: "e", seq: 8 });
    await later;
    expect(one.errors).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
  });

  test("waits for those under way, goes first and alone, and those behind it follow in their order", async () => {
    await using server = new FakeServer();
    await using one = open(server.url);
    const all = range(1, 100).map((payload) => one.client.publish("t", payload));
    const window = await server.take("publish", 64);
    const [first, second, third, ...rest] = window;
    if (first === undefined || second === undefined || third === undefined) throw new Error("too few");
    server.refuse(first, "UNAVAILABLE");
    server.ack(second, { epoch: "e", seq: 1 });
    server.refuse(third, "UNAVAILABLE");
    await Bun.sleep(A_WHILE_MS);
    // Nothing overtakes while it is open what becomes of the others.
    expect(server.waiting).toBe(0);
    for (const [index, frame] of rest.entries()) {
      if (index < 10) server.ack(frame, { epoch: "e", seq: 2 + index });
      else server.refuse(frame, "UNAVAILABLE");
    }
    const probe = await server.next("publish");
    await Bun.sleep(A_WHILE_MS);
    expect(server.waiting).toBe(0);
    server.refuse(probe, "UNAVAILABLE");
    const again = await server.next("publish");
    expect(payloadsOf([probe, again])).toEqual([1, 1]);
    server.ack(again, { epoch: "e", seq: 12 });
    const others = await server.take("publish", 64);
    expect(payloadsOf(others)).toEqual([3, ...range(14, 76)]);
    for (const [index, frame] of others.entries()) server.ack(frame, { epoch: "e", seq: 13 + index });
    const last = await server.take("publish", 24);
    expect(payloadsOf(last)).toEqual(range(77, 100));
    for (const [index, frame] of last.entries()) server.ack(frame, { epoch: "e", seq: 77 + index });
    expect(new Set((await Promise.all(all)).map(({ seq }) => seq)).size).toBe(100);
    expect(one.errors).toEqual(["UNAVAILABLE"]);
  });

  test("counts against the limits while it waits, and ends with its signal or the client", async () => {
    await using server = new FakeServer();
    await using one = open(server.url, { maxPending: 2, backoff: { firstMs: 60_000, mostMs: 60_000 } });
    const abort = new AbortController();
    const aborted = codeOf(one.client.publish("t", 1, { signal: abort.signal }));
    const closed = codeOf(one.client.publish("t", 2));
    for (const frame of await server.take("publish", 2)) server.refuse(frame, "UNAVAILABLE");
    await until(async () => one.errors.length === 1);
    expect(await codeOf(one.client.publish("t", 3))).toBe("QUEUE_FULL");
    abort.abort("enough");
    expect(await aborted).toBe("enough");
    expect(one.client.pending).toBe(1);
    await one.client.close();
    expect(await closed).toBe("CLOSED");
  });

  test("that nobody waits for any more does not hold up those behind it", async () => {
    await using server = new FakeServer();
    await using one = open(server.url);
    const abort = new AbortController();
    const first = codeOf(one.client.publish("t", 1, { signal: abort.signal }));
    const second = one.client.publish("t", 2);
    const [given, other] = await server.take("publish", 2);
    if (given === undefined || other === undefined) throw new Error("too few");
    server.refuse(given, "UNAVAILABLE");
    await until(async () => one.errors.length === 1);
    abort.abort();
    await first;
    server.refuse(other, "UNAVAILABLE");
    const again = await server.next("publish");
    expect(again.message?.payload).toBe(2);
    server.ack(again, { epoch: "e", seq: 1 });
    expect(await second).toMatchObject({ seq: 1 });
  });

  test("is sent at once on another connection, with all the others in their order", async () => {
    await using server = new FakeServer();
    await using one = open(server.url);
    const all = [1, 2, 3].map((payload) => one.client.publish("t", payload));
    const [first] = await server.take("publish", 3);
    if (first === undefined) throw new Error("none");
    server.refuse(first, "UNAVAILABLE");
    await until(async () => one.errors.length === 1);
    server.cut();
    for (const payload of [1, 2, 3]) {
      const frame = await server.next("publish");
      expect(frame.message?.payload).toBe(payload);
      server.ack(frame, { epoch: "e", seq: payload });
    }
    expect((await Promise.all(all)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  test("does not hold up for long what the server refuses for good", async () => {
    await using server = new FakeServer();
    await using one = open(server.url);
    const refused = codeOf(one.client.publish("nowhere", 1));
    const good = one.client.publish("t", 2);
    for (const frame of await server.take("publish", 2)) server.refuse(frame, "UNAVAILABLE");
    server.refuse(await server.next("publish"), "TOPIC_NOT_FOUND");
    expect(await refused).toBe("TOPIC_NOT_FOUND");
    server.ack(await server.next("publish"), { epoch: "e", seq: 1 });
    expect(await good).toMatchObject({ seq: 1 });
  });
});

describe("A subscription", () => {
  test("that is answered UNAVAILABLE says so once, and is asked for again until it is there", async () => {
    await using server = new FakeServer();
    await using one = open(server.url);
    const states: unknown[] = [];
    one.client.subscribe("t", { onEvent: () => {}, onState: (state, cause) => states.push([state, cause?.code]) });
    for (const _ of range(1, 5)) server.refuse(await server.next("subscribe"), "UNAVAILABLE");
    server.ack(await server.next("subscribe"), { epoch: "e", seq: 0, replay: 0 });
    await until(async () => states.length === 2);
    expect(states).toEqual([
      ["waiting", "UNAVAILABLE"],
      ["live", undefined],
    ]);
    expect(one.errors).toEqual([]);
  });

  test("that cannot be ended now is ended later, and another of its topic waits for that", async () => {
    await using server = new FakeServer();
    await using one = open(server.url);
    const first = one.client.subscribe("t", { clientId: "one" });
    server.ack(await server.next("subscribe"), { epoch: "e", seq: 0, replay: 0 });
    await until(async () => first.state === "live");
    first.close();
    one.client.subscribe("t", { clientId: "passing" }).close();
    const seqs: number[] = [];
    const states: unknown[] = [];
    const second = one.client.subscribe("t", {
      clientId: "two",
      onEvent: ({ seq }) => seqs.push(seq),
      onState: (state, cause) => states.push(cause === undefined ? state : `${state} ${cause.code}`),
    });
    // All of it is asked for at once, so that what is published next comes to the second.
    const leave = await server.next("unsubscribe");
    server.refuse(leave, "UNAVAILABLE");
    server.refuse(await server.next("subscribe"), "UNAVAILABLE");
    const passed = await server.next("unsubscribe");
    server.refuse(passed, "UNAVAILABLE");
    server.ack(await server.next("subscribe"), { epoch: "e", seq: 0, replay: 0 });
    // What the first is still sent is none of the second's, though the server has that, too.
    server.event("t", 1);
    const again = await server.take("unsubscribe", 2);
    const ids = [leave, passed, ...again].map(({ client_id }) => client_id ?? "");
    expect(ids.sort()).toEqual(["one", "one", "passing", "passing"]);
    const [last, other] = again;
    if (last === undefined || other === undefined) throw new Error("too few");
    server.ack(last);
    await Bun.sleep(A_WHILE_MS);
    expect([server.waiting, second.state]).toEqual([0, "waiting"]);
    server.ack(other);
    const asked = await server.next("subscribe");
    expect(asked.client_id).toBe("two");
    server.ack(asked, { epoch: "e", seq: 1, replay: 0 });
    server.event("t", 2);
    await until(async () => seqs.length > 0);
    expect([seqs, second.state]).toEqual([[2], "live"]);
    expect(states).toEqual(["waiting UNAVAILABLE", "live"]);
    expect(one.errors).toEqual([]);
  });

  test("that was being ended is over with its connection", async () => {
    await using server = new FakeServer();
    await using one = open(server.url);
    const first = one.client.subscribe("t", { clientId: "one" });
    server.ack(await server.next("subscribe"), { epoch: "e", seq: 0, replay: 0 });
    await until(async () => first.state === "live");
    first.close();
    server.refuse(await server.next("unsubscribe"), "UNAVAILABLE");
    const second = one.client.subscribe("t", { clientId: "two", onEvent: () => {} });
    expect((await server.next("subscribe")).client_id).toBe("two");
    await until(async () => second.state === "waiting");
    server.cut();
    expect((await server.next("subscribe")).client_id).toBe("two");
    await Bun.sleep(A_WHILE_MS);
    expect(server.waiting).toBe(0);
  });

  test("gets its own answer, whatever others have its client id", async () => {
    await using server = new FakeServer();
    await using one = open(server.url);
    const [a, b] = ["a", "b"].map((topic) => one.client.subscribe(topic, { clientId: "me" }));
    const [, ofB] = await server.take("subscribe", 2);
    if (ofB === undefined) throw new Error("none");
    server.ack(ofB, { epoch: "b1", seq: 3, replay: 0 });
    await until(async () => b?.state === "live");
    expect(b?.position).toEqual({ epoch: "b1", seq: 3 });
    expect(a?.state).toBe("subscribing");
  });

  test("does not take the answer of one before it, under the same client id, for its own", async () => {
    await using server = new FakeServer();
    await using one = open(server.url);
    const before = one.client.subscribe("t", { clientId: "me" });
    const first = await server.next("subscribe");
    before.close();
    const left = await server.next("unsubscribe");
    const seqs: number[] = [];
    const own = one.client.subscribe("t", { clientId: "me", last: 2, onEvent: ({ seq }) => seqs.push(seq) });
    const second = await server.next("subscribe");
    server.ack(first, { epoch: "e", seq: 5, replay: 0 });
    server.ack(left);
    server.event("t", 5);
    await Bun.sleep(A_WHILE_MS);
    expect(own.state).toBe("subscribing");
    server.ack(second, { epoch: "e", seq: 5, replay: 2 });
    for (const seq of [4, 5]) server.event("t", seq);
    await until(async () => seqs.length === 2);
    expect(seqs).toEqual([4, 5]);
    expect(before.state).toBe("ended");
  });
});
