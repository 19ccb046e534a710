import { describe, expect, test } from "bun:test";
import { TRANSPORTS } from "../../src/protocol/frames.ts";
import { CLOSE } from "../../src/protocol/codes.ts";
import { account } from "../support/account.ts";
import { Client, ID } from "../support/client.ts";
import { metrics, until } from "../support/stats.ts";
import { topicDetail } from "../support/answers.ts";
import { startServerWithManualHeartbeat } from "../support/heartbeat.ts";
import { overwhelm, publishLarge } from "../support/publish.ts";
import { RawClient } from "../support/raw-client.ts";
import { encodeClientFrame } from "../support/websocket-frames.ts";
import { createTopic } from "../support/server.ts";
import { Subscriber } from "../support/subscriber.ts";

/** More of them than one without a sign of life would live to see, whether or not its socket is found. */
const HEARTBEATS = 14;

/** The kernel is asked for a socket's number at most once a second. */
const SEARCH_EVERY_MS = 1000;

describe.skipIf(process.platform !== "linux").concurrent("a peer that cannot answer, but moves bytes, is alive", () => {
  for (const transport of TRANSPORTS) {
    test(`over ${transport}: one that reads slowly, and is behind all the time`, async () => {
      await using server = startServerWithManualHeartbeat();
      await createTopic(server, "t");
      using slow = await Subscriber.open(server, transport, { topic: "t", clientId: "me", stalled: true });
      let last = await overwhelm(server, "t", "me");
      for (let heartbeats = 0; heartbeats < HEARTBEATS; heartbeats++) {
        const before = slow.received.length;
        slow.resume();
        await until(async () => slow.received.length > before);
        slow.stall();
        last = await publishLarge(server, "t", 10);
        await server.heartbeat();
      }
      expect(slow.over).toBe(false);
      slow.resume();
      account(await slow.takeUntil(last), 0);
    });
  }

  test("one that is in the middle of uploading a frame, slowly", async () => {
    await using server = startServerWithManualHeartbeat();
    await createTopic(server, "t");
    const raw = await RawClient.connect(server);
    const payload = "x".repeat(100_000);
    const frame = encodeClientFrame(
      JSON.stringify({ type: "publish", topic: "t", message: { id: ID, payload }, request_id: "done" }),
    );
    await server.heartbeat();
    for (let heartbeats = 0; heartbeats < HEARTBEATS; heartbeats++) {
      raw.socket.write(frame.subarray(heartbeats * 1000, heartbeats * 1000 + 1000));
      await using other = await Client.connect(server);
      await other.settle();
      await server.heartbeat();
    }
    raw.socket.write(frame.subarray(HEARTBEATS * 1000));
    const frames = await raw.readUntil(
      (received) => raw.close !== undefined || received.some(({ request_id }) => request_id === "done"),
    );
    expect([raw.close, frames.at(-1)]).toMatchObject([undefined, { type: "ack", seq: 1 }]);
    raw.cut();
  });

  test("one that does neither is given up, though its own system takes each heartbeat", async () => {
    await using server = startServerWithManualHeartbeat();
    await createTopic(server, "t");
    const raw = await RawClient.connect(server);
    raw.send({ type: "subscribe", topic: "t", client_id: "dead" });
    await until(async () => (await topicDetail(server, "t")).subscribers.length === 1);
    await server.heartbeat();
    await Bun.sleep(SEARCH_EVERY_MS);
    const closed = async () =>
      (await metrics(server)).get('pubsub_connections_closed_total{side="server",cause="no sign of life"}');
    for (let heartbeats = 2; heartbeats <= 3; heartbeats++) {
      expect(await closed()).toBe(0);
      await server.heartbeat();
    }
    expect(await closed()).toBe(1);
    await raw.readUntil(() => raw.close !== undefined);
    expect(raw.close).toEqual(CLOSE.noSignOfLife);
    raw.cut();
  });
});
