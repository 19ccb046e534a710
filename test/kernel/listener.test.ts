import { expect, test } from "bun:test";
import { openLibc } from "../../src/kernel/libc.ts";
import { Sockets } from "../../src/kernel/sockets.ts";
import { topicDetail } from "../support/figures.ts";
import { publishLarge } from "../support/publish.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTopic, startTestServer } from "../support/server.ts";

const SEND_BUFFER_BYTES = 200_000;

test.skipIf(process.platform !== "linux")("the kernel keeps little of what one client does not read", async () => {
  await using server = startTestServer({ SEND_BUFFER_BYTES: String(SEND_BUFFER_BYTES) });
  await createTopic(server, "t");
  const stalled = await RawClient.connect(server);
  stalled.send({ type: "subscribe", topic: "t", client_id: "stalled" });
  await stalled.readUntil((frames) => frames.length === 1);
  await publishLarge(server, "t", 40);
  const { subscribers } = await topicDetail(server, "t");
  stalled.cut();
  // Of 4 MB, twice the buffer, what the client's own side takes before it is full, and two batches of the server's.
  expect(subscribers[0]?.queued).toBeGreaterThan(40 - (2 * SEND_BUFFER_BYTES) / 100_000 - 12);
  expect(server.lines).toEqual([]);
});

test.skipIf(process.platform !== "linux")("a port that nobody listens on has no listening socket", () => {
  const libc = openLibc();
  if (libc === undefined) throw new Error("no C library");
  const sockets = new Sockets(libc);
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  expect(sockets.listener(server.port)).toBeGreaterThan(0);
  server.stop(true);
  expect(() => sockets.listener(server.port)).toThrow(`no socket listens on port ${server.port}`);
});
