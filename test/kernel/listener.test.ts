import { expect, test } from "bun:test";
import { ptr } from "bun:ffi";
import { openLibc } from "../../src/kernel/libc.ts";
import { Sockets } from "../../src/kernel/sockets.ts";
import { topicDetail } from "../support/answers.ts";
import { publishLarge } from "../support/publish.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTopic, startTestServer } from "../support/server.ts";

/** Linux's numbers: `asm-generic/socket.h`. */
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;

const SEND_BUFFER_BYTES = 200_000;

test.skipIf(process.platform !== "linux")("the kernel keeps little of what one client does not read", async () => {
  await using server = startTestServer({ SEND_BUFFER_BYTES: String(SEND_BUFFER_BYTES) });
  await createTopic(server, "t");
  const stalled = await RawClient.subscribe(server, "stalled");
  await publishLarge(server, "t", 40);
  const { subscribers } = await topicDetail(server, "t");
  stalled.cut();
  // Of 4 MB, twice the buffer, what the client's own side takes before it is full, and two batches of the server's.
  expect(subscribers[0]?.queued).toBeGreaterThan(40 - (2 * SEND_BUFFER_BYTES) / 100_000 - 12);
  expect(server.lines).toEqual([]);
});

test.skipIf(process.platform !== "linux")("each accepted socket has the buffers that were asked for", async () => {
  await using server = startTestServer({ SEND_BUFFER_BYTES: "90000", RECEIVE_BUFFER_BYTES: "40000" });
  const libc = openLibc();
  if (libc === undefined) throw new Error("no C library");
  const client = await RawClient.connect(server);
  const [fd] = new Sockets(libc).find([{ address: "127.0.0.1", port: client.socket.localPort ?? 0 }]);
  if (fd === undefined) throw new Error("the accepted socket is not found");
  const buffer = (option: number) => {
    const value = new Int32Array(1);
    const length = new Uint32Array([value.byteLength]);
    expect(libc.getsockopt(fd, SOL_SOCKET, option, ptr(value), ptr(length))).toBe(0);
    return value[0];
  };
  // Linux counts its own bookkeeping as well, and doubles what is asked for.
  expect([buffer(SO_SNDBUF), buffer(SO_RCVBUF)]).toEqual([180_000, 80_000]);
  client.cut();
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
