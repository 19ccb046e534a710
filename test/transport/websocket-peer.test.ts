import { expect, test } from "bun:test";
import { AnswerBudget } from "../../src/ops/answer-budget.ts";
import { Throttle } from "../../src/ops/throttle.ts";
import { CLOSE } from "../../src/protocol/codes.ts";
import { MAX_UNREAD_ANSWERS } from "../../src/transport/reading.ts";
import type { Socket } from "../../src/transport/socket.ts";
import type { WebSocketPeer } from "../../src/transport/websocket-peer.ts";
import { makeLogger } from "../support/make-logger.ts";
import { makeRegistry } from "../support/make-registry.ts";
import { SILENT } from "../support/make-broker.ts";
import { seqOf } from "../support/fake-peer.ts";
import { turn } from "../support/turn.ts";

/** A socket whose kernel takes what it is told to, and which tells of no drain. */
class FakeSocket implements Socket {
  readonly readyState = WebSocket.OPEN;
  readonly remoteAddress = "127.0.0.1";
  readonly data = {};
  readonly sent: string[] = [];
  /** Bytes that wait. */
  waiting = 0;
  takesMore = true;
  paused = false;
  readonly pings: string[] = [];
  readonly closed: (number | undefined)[] = [];

  sendText(text: string): number {
    this.sent.push(text);
    if (this.takesMore) {
      // As Bun does: what waited goes first, in the same call, and the status is of the moment before.
      const status = this.waiting > 0 ? -1 : text.length;
      this.waiting = 0;
      return status;
    }
    this.waiting += text.length;
    return -1;
  }

  cork<T>(write: (socket: this) => T): T {
    return write(this);
  }

  getBufferedAmount(): number {
    return this.waiting;
  }

  ping(payload?: unknown): number {
    this.pings.push(String(payload ?? ""));
    return 0;
  }

  subscribe(): boolean {
    return true;
  }

  unsubscribe(): boolean {
    return true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  terminate(): void {}

  close(code?: number): void {
    this.closed.push(code);
  }
}

/** What all clients together may leave unread of their answers. */
const BUDGET_BYTES = 200_000;

/** A broker with one topic, whose subscribers' sockets are fakes. */
function setUp() {
  const { lines: warnings, log } = makeLogger("warn");
  const throttle = new Throttle(log);
  const budget = new AnswerBudget(BUDGET_BYTES);
  const faults: unknown[] = [];
  const observer = { ...SILENT, fault: (cause: unknown) => void faults.push(cause) };
  const { broker, closing, connectSocket } = makeRegistry({ throttle, budget }, { observer });
  return {
    closing,
    faults,
    warnings,
    budget,
    subscribe: (name: string) => {
      const socket = new FakeSocket();
      const client = connectSocket(socket);
      broker.subscribe(client.session, "t", name);
      return { socket, client };
    },
    publish: (count: number) => {
      for (let i = 0; i < count; i++) broker.publish("t", [{ id: "i", payload: "1" }]);
      broker.flush();
    },
  };
}

const eventsOf = (socket: FakeSocket) => socket.sent.filter((text) => text.includes('"event"')).map(seqOf);

test("a backlog that the kernel takes along with a later frame leaves nobody blocked, though no drain tells of it", async () => {
  const { subscribe, publish } = setUp();
  const { socket, client } = subscribe("me");

  socket.takesMore = false;
  publish(1);
  expect(client.blocked).toBe(true);
  publish(3);
  expect(socket.sent.map(seqOf)).toEqual(["1"]);

  socket.takesMore = true;
  client.notice({ type: "info", msg: "ping" });
  await turn();
  expect(client.blocked).toBe(false);
  expect(eventsOf(socket)).toEqual(["1", "2", "3", "4"]);

  // In the middle of a burst, by the status of whose first event something waits, and at its end nothing.
  socket.waiting = 5;
  publish(2);
  await turn();
  publish(1);
  expect(socket.sent.slice(-3).map(seqOf)).toEqual(["5", "6", "7"]);
});

test.each([0, 8, 9, 19])(
  "of twenty on one topic number %d is sent nothing while it is blocked, all else after it",
  async (index) => {
    const { subscribe, publish } = setUp();
    const all = Array.from({ length: 20 }, (_, i) => subscribe(`client ${i}`));
    const one = all[index];
    if (one === undefined) throw new Error();
    publish(1);
    // By an event that the kernel does not take, then by something else than an event.
    for (const block of [() => publish(1), () => one.client.notice({ type: "info", msg: "ping" })]) {
      one.socket.takesMore = false;
      block();
      expect(one.client.blocked).toBe(true);
      const before = eventsOf(one.socket);
      publish(2);
      publish(1);
      expect(eventsOf(one.socket)).toEqual(before);
      one.socket.takesMore = true;
      one.socket.waiting = 0;
      one.client.drained();
      publish(1);
    }
    const sent = all.map(({ socket }) => eventsOf(socket));
    const expected = Array.from({ length: 10 }, (_, i) => String(i + 1));
    expect(sent).toEqual(all.map(() => expected));
  },
);

test("what the kernel does not take in the middle of a burst is noticed before the next one", () => {
  const { subscribe, publish } = setUp();
  const { socket, client } = subscribe("me");
  publish(1);
  const sendText = socket.sendText.bind(socket);
  socket.sendText = (text) => {
    if (seqOf(text) === "3") socket.takesMore = false;
    return sendText(text);
  };
  publish(3);
  expect(client.blocked).toBe(true);
  publish(1);
  expect(eventsOf(socket)).toEqual(["1", "2", "3", "4"]);
});

test.each([1, 2])("a fault with one of twenty loses no event of it or of those behind it: bursts of %d", (count) => {
  const { subscribe, publish, faults } = setUp();
  const all = Array.from({ length: 20 }, (_, i) => subscribe(`client ${i}`));
  const faulty = all[9]?.socket;
  if (faulty === undefined) throw new Error();
  publish(1);
  const sendText = faulty.sendText.bind(faulty);
  faulty.sendText = () => {
    throw new Error("a fault");
  };
  publish(count);
  expect(faults.map(String)).toContain("Error: a fault");
  faulty.sendText = sendText;
  publish(0);
  publish(1);
  const expected = Array.from({ length: count + 2 }, (_, i) => String(i + 1));
  expect(all.map(({ socket }) => eventsOf(socket))).toEqual(all.map(() => expected));
});

const ANSWER = "x".repeat(10_000);

/** Answers that its client does not read, so many of them. */
function answer({ socket, client }: { socket: FakeSocket; client: WebSocketPeer }, count: number): void {
  socket.takesMore = false;
  for (let i = 0; i < count; i++) client.answerText(ANSWER);
}

test("one who is to be closed is pinged, and closed once a pong brings back what that ping carried", async () => {
  const { subscribe, closing } = setUp();
  const { socket, client } = subscribe("me");
  client.close(CLOSE.topicDeleted);
  client.close(CLOSE.slowConsumer);
  const [receipt = ""] = socket.pings;
  expect([socket.pings, receipt.length > 0, client.open]).toEqual([[receipt], true, false]);
  for (const payload of ["", "something else"]) client.ponged(payload);
  await turn();
  expect(socket.closed).toEqual([]);
  for (let i = 0; i < 3; i++) client.ponged(receipt);
  await turn();
  expect([socket.closed, closing.ended]).toEqual([[CLOSE.topicDeleted.code], { told: 1, cutOff: 0 }]);
});

test("a pong that says the same before anybody is to be closed closes nobody", async () => {
  const { subscribe, closing } = setUp();
  const [one, other] = [subscribe("one"), subscribe("other")];
  one.client.close(CLOSE.topicDeleted);
  other.client.ponged(one.socket.pings[0] ?? "");
  await turn();
  expect([other.socket.closed, other.client.open, closing.ended.told]).toEqual([[], true, 0]);
});

test("one that is not listened to for its unread answers is read again to be closed, and is paused no more", () => {
  const { subscribe } = setUp();
  const one = subscribe("me");
  answer(one, 30);
  expect(one.socket.paused).toBe(true);
  one.client.close(CLOSE.topicDeleted);
  expect(one.socket.paused).toBe(false);
  one.socket.waiting = 2 * MAX_UNREAD_ANSWERS;
  one.client.pinged();
  expect(one.socket.paused).toBe(false);
});

test("unread answers are free up to 16 KiB, then count against what all leave unread, and are given back", () => {
  const { subscribe, budget, warnings } = setUp();
  const [hog, modest, late] = [subscribe("hog"), subscribe("modest"), subscribe("late")];
  answer(hog, BUDGET_BYTES / ANSWER.length);
  answer(modest, 1);
  expect([hog.socket.paused, modest.socket.paused, budget.used]).toEqual([false, false, BUDGET_BYTES + ANSWER.length]);
  answer(late, 2);
  expect([hog.socket.paused, modest.socket.paused, late.socket.paused]).toEqual([false, false, true]);
  answer(hog, 1);
  expect(hog.socket.paused).toBe(true);
  expect(warnings).toEqual([expect.stringMatching(/does not read its answers.*topic=t client_id=late$/)]);

  late.socket.waiting = 0;
  late.client.drained();
  expect([late.socket.paused, budget.used]).toEqual([false, BUDGET_BYTES + 2 * ANSWER.length]);
  hog.client.gone(1006, "");
  modest.client.gone(1006, "");
  expect(budget.used).toBe(0);
});

test("no client leaves more than 4 MiB of answers unread, whatever room there is", () => {
  const { subscribe, budget } = setUp();
  const one = subscribe("me");
  budget.release(1e9);
  answer(one, Math.floor(MAX_UNREAD_ANSWERS / ANSWER.length));
  expect(one.socket.paused).toBe(false);
  answer(one, 1);
  expect(one.socket.paused).toBe(true);
});
