import { expect, test } from "bun:test";
import type { Frame } from "../support/frames.ts";
import { until } from "../support/stats.ts";
import { topicDetail } from "../support/answers.ts";
import { publish } from "../support/publish.ts";
import { encodeClientFrame, UPGRADE } from "../support/websocket-frames.ts";
import { createTopic, health, startTestServer } from "../support/server.ts";
import { WebSocketReader } from "../support/websocket-reader.ts";

const EVENTS = Array<string>(10).fill("x".repeat(10_000));

/**
 * Bun 1.4.5 calls no `drain` where the kernel took only a part of what was corked, and what was left went out with a later
 * send: here the answer to a ping, which a client that reads again sends before the kernel says that it has room.
 */
test("who asks something as soon as it reads again is still sent what is queued for it", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  await createTopic(server, "other");
  let newestSeen = 0;
  let pong = Promise.withResolvers<void>();
  const take = ({ type, seq = 0 }: Frame) => {
    if (type === "event") newestSeen = seq;
    else if (type === "pong") pong.resolve();
  };
  const reader = new WebSocketReader(
    (frame) => take(frame),
    (bytes) => void socket.write(bytes),
  );
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.port,
    socket: { data: (_socket, bytes) => reader.push(bytes) },
  });
  const send = (frame: object) => void socket.write(encodeClientFrame(JSON.stringify(frame)));
  socket.write(UPGRADE);
  send({ type: "subscribe", topic: "other", client_id: "slow" });
  send({ type: "subscribe", topic: "t", client_id: "slow" });
  await until(async () => (await health(server)).subscribers === 2);

  for (let round = 0; round < 4; round++) {
    socket.pause();
    let newest = 0;
    while ((await topicDetail(server, "t")).subscribers.every(({ queued }) => queued === 0)) {
      ({ seq: newest } = await publish(server, "t", EVENTS));
    }

    socket.resume();
    // After so many answers it cannot be said that the server had no occasion to send the rest.
    for (let asked = 0; asked < 200; asked++) {
      pong = Promise.withResolvers();
      send({ type: "ping" });
      await pong.promise;
    }
    const { subscribers } = await topicDetail(server, "t");
    expect(subscribers, `round ${round}`).toMatchObject([{ client_id: "slow", queued: 0 }]);
    expect(newestSeen).toBe(newest);
  }
  socket.terminate();
});
