import { describe, expect, test } from "bun:test";
import type { Socket } from "../../src/transport/socket.ts";
import { range } from "../support/account.ts";
import { makeRegistry } from "../support/make-registry.ts";
import { createTopic, startTestServer } from "../support/server.ts";
import { publishLarge } from "../support/publish.ts";
import { until } from "../support/stats.ts";
import { topicDetail } from "../support/answers.ts";
import { Client } from "../support/client.ts";
import { seqOf } from "../support/fake-peer.ts";

/** How much a client may be sent between two receipts: five events or so. */
const WINDOW = 1000;

/** A socket whose kernel takes everything, as one with large buffers does. */
class RoomySocket implements Socket {
  readonly readyState = WebSocket.OPEN;
  readonly remoteAddress = "127.0.0.1";
  readonly data = {};
  readonly events: number[] = [];
  /** Pings that were not answered yet. */
  readonly pings: string[] = [];

  sendText(text: string): number {
    if (text.includes('"event"')) this.events.push(Number(seqOf(text)));
    return text.length;
  }

  cork<T>(write: (socket: this) => T): T {
    return write(this);
  }

  getBufferedAmount(): number {
    return 0;
  }

  ping(payload?: unknown): number {
    return this.pings.push(String(payload));
  }

  subscribe(): boolean {
    return true;
  }

  unsubscribe(): boolean {
    return true;
  }

  pause(): void {}
  resume(): void {}
  terminate(): void {}
  close(): void {}
}

function setUp(count: number) {
  const limits = { maxHistory: 1000, maxSubscriberQueue: 1000 };
  const { broker, connectSocket } = makeRegistry({ sendBufferBytes: WINDOW }, { limits });
  const subscribe = (name: string) => {
    const socket = new RoomySocket();
    const client = connectSocket(socket);
    broker.subscribe(client.session, "t", name);
    return { socket, client };
  };
  const all = Array.from({ length: count }, (_, i) => subscribe(`client ${i}`));
  const publish = (times: number) => {
    for (let i = 0; i < times; i++) {
      broker.publish("t", [{ id: "i", payload: `"${"x".repeat(100)}"` }]);
      broker.flush();
    }
  };
  return { all, publish, subscribe };
}

type One = ReturnType<ReturnType<typeof setUp>["subscribe"]>;

/** Answers every ping that has come, as a client does that has read all before it. */
function read({ socket, client }: One): void {
  for (const ping of socket.pings.splice(0)) client.ponged(ping);
}

describe.each([1, 20])("of %d on one topic", (count) => {
  test("a client that answers pings is sent about two windows more than it has read, and the rest as it reads", () => {
    const { all, publish } = setUp(count);
    const [slow, ...others] = all;
    if (slow === undefined) throw new Error();
    publish(1);
    for (const one of all) read(one);
    for (let i = 0; i < 100; i++) {
      publish(1);
      for (const one of others) read(one);
    }
    expect(slow.client.blocked).toBe(true);
    expect(slow.socket.events.length * 150).toBeWithin(WINDOW, 4 * WINDOW);
    for (const { socket } of others) expect(socket.events).toEqual(range(1, 101));
    for (let rounds = 0; slow.socket.events.length < 101; rounds++) {
      expect(rounds).toBeLessThan(100);
      read(slow);
    }
    expect(slow.socket.events).toEqual(range(1, 101));
    publish(1);
    for (const { socket } of all) expect(socket.events).toEqual(range(1, 102));
  });

  test("one that has never answered a ping is not waited for", () => {
    const { all, publish } = setUp(count);
    publish(100);
    for (const { socket } of all) expect(socket.events).toEqual(range(1, 100));
  });

  test("what it was sent counts on where others come and go", () => {
    const { all, publish, subscribe } = setUp(count);
    publish(1);
    for (const one of all) read(one);
    for (let i = 0; i < 100; i++) {
      subscribe(`passing ${i % 2}`);
      publish(1);
    }
    for (const { client } of all) expect(client.blocked).toBe(true);
  });
});

test("a reader that reads and answers all the time loses nothing, however small the window", async () => {
  await using server = startTestServer({ SEND_BUFFER_BYTES: "65536" });
  await createTopic(server, "t");
  await using reader = await Client.connect(server);
  await reader.subscribe("t", "me");
  await publishLarge(server, "t", 1);
  await reader.next();
  await publishLarge(server, "t", 40);
  const seqs = (await reader.take(40)).map(({ seq }) => seq);
  expect(seqs).toEqual(range(2, 41));
  await until(async () => (await topicDetail(server, "t")).subscribers[0]?.queued === 0);
});
