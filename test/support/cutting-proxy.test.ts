import { expect, test } from "bun:test";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { CuttingProxy } from "./cutting-proxy.ts";
import { Random, seedOfRun } from "./random.ts";

/** A server that sends the bytes to whoever connects, and remembers what it receives. */
async function startServer(bytes: Buffer) {
  const received: Buffer[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("data", (chunk: Buffer) => received.push(chunk)).on("error", () => {});
    socket.write(bytes);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  const stop = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: address.port, received, [Symbol.dispose]: stop };
}

/** Everything that arrives until the connection is over, and what ended it. */
async function readToEnd(socket: Socket): Promise<{ bytes: Buffer; error: string | undefined }> {
  const chunks: Buffer[] = [];
  let error: string | undefined;
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", ({ message }) => (error = message));
  await new Promise((resolve) => socket.on("close", resolve));
  return { bytes: Buffer.concat(chunks), error };
}

function lengthOf(chunks: Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, () => random.int(256)));
}

test("what goes through the proxy arrives whole, both ways, however late it is read", async () => {
  const random = new Random(1);
  const [down, up] = [randomBytes(random, 12_000_000), randomBytes(random, 12_000_000)];
  using server = await startServer(down);
  using proxy = new CuttingProxy(server);
  const client = connect(proxy.port, "127.0.0.1");
  client.pause();
  await new Promise((resolve) => client.write(up, resolve));
  const received: Buffer[] = [];
  client.on("data", (chunk: Buffer) => received.push(chunk));
  client.resume();
  while (lengthOf(received) < down.length || lengthOf(server.received) < up.length) await Bun.sleep(1);
  expect(Buffer.concat(received).equals(down)).toBe(true);
  expect(Buffer.concat(server.received).equals(up)).toBe(true);
  client.destroy();
});

test("a cut after so many bytes lets exactly these through, also to a client that goes on sending", async () => {
  const seed = seedOfRun();
  const random = new Random(seed);
  const down = randomBytes(random, 300_000);
  using server = await startServer(down);
  using proxy = new CuttingProxy(server);
  for (let round = 0; round < 100; round++) {
    const count = random.int(down.length);
    const lost = proxy.cutAfter(count + 1);
    const client = connect(proxy.port, "127.0.0.1");
    const sending = setInterval(() => client.write("x".repeat(1000)), 0);
    const { bytes, error } = await readToEnd(client);
    clearInterval(sending);
    await lost;
    expect([seed, bytes.equals(down.subarray(0, count + 1)), error]).toEqual([seed, true, undefined]);
  }
});

test("a cut resets who is connected, and new connections are refused until they are admitted", async () => {
  using server = await startServer(Buffer.from("hello"));
  using proxy = new CuttingProxy(server);
  const client = connect(proxy.port, "127.0.0.1");
  const end = readToEnd(client);
  await once(client, "data");
  proxy.refuse();
  proxy.cut();
  expect(await end).toEqual({ bytes: Buffer.from("hello"), error: "read ECONNRESET" });
  const refused = await readToEnd(connect(proxy.port, "127.0.0.1"));
  expect(refused.bytes).toHaveLength(0);
  expect(proxy.refused).toBe(1);
  proxy.admit();
  const again = connect(proxy.port, "127.0.0.1");
  expect(String(await once(again, "data"))).toBe("hello");
  again.destroy();
});
