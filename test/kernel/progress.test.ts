import { describe, expect, test } from "bun:test";
import { Progress, type Watched } from "../../src/kernel/progress.ts";
import { until } from "../support/stats.ts";
import { Pair, testSockets } from "../support/pair.ts";
import { FakeSockets } from "../support/progress.ts";

/** A peer that is looked at for the first time. */
function watch(progress: Progress): Watched {
  const peer: Watched = { remote: { address: "127.0.0.1", port: 1 }, look: undefined };
  progress.begin([peer]);
  return peer;
}

describe("Progress", () => {
  test("has not moved before a first look, nor where the address is not known", () => {
    const sockets = new FakeSockets();
    const peer: Watched = { remote: { address: "127.0.0.1", port: 1 }, look: undefined };
    sockets.take();
    expect(sockets.progress.moved(peer)).toBe(false);
    const unknown: Watched = { remote: undefined, look: undefined };
    sockets.progress.begin([unknown]);
    expect([unknown.look, sockets.progress.moved(unknown)]).toEqual([undefined, false]);
  });

  test("moves with each byte off a backlog or from the peer, compared with the last look", () => {
    const sockets = new FakeSockets();
    const peer = watch(sockets.progress);
    const moved = () => sockets.progress.moved(peer);
    expect(moved()).toBe(false);
    sockets.take();
    expect([moved(), moved()]).toEqual([true, false]);
    sockets.now = { acked: 1n, received: 1n, waiting: true };
    expect([moved(), moved()]).toEqual([true, false]);
  });

  test("is not moved by what the peer's kernel confirms where nothing waited before", () => {
    const sockets = new FakeSockets();
    sockets.now = { acked: 0n, received: 0n, waiting: false };
    const peer = watch(sockets.progress);
    sockets.take();
    expect(sockets.progress.moved(peer)).toBe(false);
    sockets.now = { acked: 2n, received: 0n, waiting: true };
    expect(sockets.progress.moved(peer)).toBe(false);
    sockets.take();
    expect(sockets.progress.moved(peer)).toBe(true);
  });

  test("forgets a socket that is another one's by now, and finds the peer's own again", () => {
    const sockets = new FakeSockets();
    const peer = watch(sockets.progress);
    const { now } = sockets;
    sockets.now = undefined;
    expect([sockets.progress.moved(peer), peer.look]).toEqual([false, undefined]);
    expect(sockets.progress.arrived(peer)).toBe(false);
    sockets.now = now;
    expect(sockets.progress.moved(peer)).toBe(false);
  });

  test("goes through all open files at most once a second, and not for nobody", () => {
    const sockets = new FakeSockets();
    sockets.progress.begin([]);
    expect(sockets.searches).toBe(0);
    const [first, second] = [watch(sockets.progress), watch(sockets.progress)];
    expect([sockets.searches, first.look === undefined, second.look === undefined]).toEqual([1, false, true]);
  });

  test("tells what has arrived only of one whose socket was found", () => {
    const sockets = new FakeSockets();
    sockets.findable = false;
    sockets.now = { acked: 1n, received: 0n, waiting: false };
    const peer = watch(sockets.progress);
    expect(sockets.progress.arrived(peer)).toBe(false);
    peer.look = { fd: 3, transfer: sockets.now };
    expect(sockets.progress.arrived(peer)).toBe(true);
    sockets.now = { ...sockets.now, waiting: true };
    expect(sockets.progress.arrived(peer)).toBe(false);
  });
});

describe.skipIf(process.platform !== "linux")("Progress, as the kernel tells it", () => {
  /** A connection that was looked at. */
  async function setUp(prepare: (pair: Pair) => void = () => {}) {
    const progress = new Progress(testSockets());
    const pair = await Pair.connect();
    prepare(pair);
    const peer: Watched = { remote: pair.peer, look: undefined };
    progress.begin([peer]);
    // What is on its way when a reader stops may still be confirmed.
    const settle = async () => void (await until(async () => !progress.moved(peer)));
    return { pair, peer, progress, settle, [Symbol.dispose]: () => pair[Symbol.dispose]() };
  }

  test("a reader that takes bytes off its backlog moves, and one that stalls does not", async () => {
    using stage = await setUp((pair) => pair.fill());
    const { pair, peer, progress, settle } = stage;
    for (let round = 0; round < 3; round++) {
      pair.fill();
      await settle();
      expect([progress.moved(peer), progress.arrived(peer)]).toEqual([false, false]);
      await pair.read(1);
      await until(async () => progress.moved(peer));
    }
  });

  test("an uploader in the middle of something long moves with every byte", async () => {
    using stage = await setUp();
    const { pair, peer, progress } = stage;
    for (let round = 0; round < 3; round++) {
      expect(progress.moved(peer)).toBe(false);
      pair.client.write("x");
      await until(async () => progress.moved(peer));
    }
  });

  test("one that reads nothing and has no backlog does not move by heartbeats that its kernel takes", async () => {
    using stage = await setUp();
    const { pair, peer, progress } = stage;
    for (let heartbeats = 0; heartbeats < 5; heartbeats++) {
      pair.server.write("heartbeat");
      await until(async () => progress.arrived(peer));
      expect(progress.moved(peer)).toBe(false);
    }
    expect(pair.taken).toBe(0);
  });

  test("all has arrived once the reader's kernel has it, and not while something waits", async () => {
    using stage = await setUp((pair) => pair.fill());
    const { pair, peer, progress, settle } = stage;
    await settle();
    expect(progress.arrived(peer)).toBe(false);
    pair.client.resume();
    await until(async () => progress.arrived(peer));
    pair.client.pause();
    pair.server.write("x");
    await until(async () => progress.arrived(peer));
  });

  test("one that is gone has neither moved nor arrived", async () => {
    using stage = await setUp((pair) => pair.fill());
    const { pair, peer, progress } = stage;
    pair.client.terminate();
    pair.server.terminate();
    await pair.closed;
    expect([progress.moved(peer), progress.arrived(peer), peer.look]).toEqual([false, false, undefined]);
  });
});
