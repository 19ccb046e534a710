import { expect, test } from "bun:test";
import type { Address } from "../../src/kernel/sockets.ts";
import { untilClosed } from "../../src/transport/stream-ends.ts";

const LATER = Number.POSITIVE_INFINITY;
const streams = [1, 2, 3].map((port): Address => ({ address: "127.0.0.1", port }));

/** Sockets of which one is closed after each look. */
function closingOneByOne() {
  const looks: number[][] = [];
  let open = streams.length;
  const find = (peers: readonly Address[]) => {
    looks.push(peers.map(({ port }) => port));
    const found = peers.map(({ port }) => (port <= open ? port : undefined));
    open--;
    return found;
  };
  return { looks, find };
}

test("untilClosed waits for the last connection, and looks no more for those that are closed", async () => {
  const sockets = closingOneByOne();
  await untilClosed(sockets, streams, LATER);
  expect(sockets.looks).toEqual([[1, 2, 3], [1, 2, 3], [1, 2], [1]]);
});

test("untilClosed looks for nothing where there was no stream, or no time is left", async () => {
  const sockets = closingOneByOne();
  await untilClosed(sockets, [], LATER);
  await untilClosed(sockets, streams, performance.now());
  expect(sockets.looks).toEqual([]);
});

test("untilClosed gives up when the time is over", async () => {
  let looks = 0;
  const find = (peers: readonly Address[]) => (looks++, peers.map(({ port }) => port));
  await untilClosed({ find }, streams, performance.now() + 30);
  expect(looks).toBeGreaterThan(0);
});
