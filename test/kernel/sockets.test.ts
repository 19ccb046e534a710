import { describe, expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { addressBytes } from "../../src/kernel/sockets.ts";
import { until } from "../support/stats.ts";
import { Pair, testSockets } from "../support/pair.ts";

const LINUX = process.platform === "linux";
const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some((one) => one.address === "::1"),
);

describe("addressBytes", () => {
  for (const [address, hex] of [
    ["127.0.0.1", "7f000001"],
    ["0.0.0.0", "00000000"],
    ["255.1.20.3", "ff011403"],
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["1::", "00010000000000000000000000000000"],
    ["2001:db8::ff00:42:8329", "20010db8000000000000ff0000428329"],
    ["2001:DB8:0:0:8:800:200C:417A", "20010db80000000000080800200c417a"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["fe80::1%eth0", "fe800000000000000000000000000001"],
    ["::ffff:192.0.2.1", "00000000000000000000ffffc0000201"],
    ["::ffff:c000:201", "00000000000000000000ffffc0000201"],
    ["64:ff9b::192.0.2.33", "0064ff9b0000000000000000c0000221"],
    ["1:2:3:4:5:6:192.0.2.33", "000100020003000400050006c0000221"],
  ] as const) {
    test(`of ${address} are ${hex}`, () => {
      expect(addressBytes(address).toHex()).toBe(hex);
    });
  }
});

describe.skipIf(!LINUX)("Sockets", () => {
  for (const [what, listenOn, connectTo, peers] of [
    ["IPv4", "127.0.0.1", "127.0.0.1", ["127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1"]],
    ["IPv6", "::1", "::1", ["::1", "0:0:0:0:0:0:0:1"]],
    ["IPv4 on a socket for both", "::", "127.0.0.1", ["127.0.0.1", "::ffff:127.0.0.1"]],
  ] as const) {
    test.skipIf(listenOn.includes(":") && !HAS_IPV6)(
      `finds a connection over ${what} by its peer's address, however it is written`,
      async () => {
        const sockets = testSockets();
        using pair = await Pair.connect(listenOn, connectTo);
        for (const address of peers) {
          const [fd = -1] = sockets.find([{ address, port: pair.peer.port }]);
          expect(sockets.transfer(fd, pair.peer), address).toBeDefined();
        }
        expect(sockets.find([{ address: connectTo, port: 1 }])).toEqual([undefined]);
        expect(sockets.find([{ address: "127.0.0.2", port: pair.peer.port }])).toEqual([undefined]);
      },
    );
  }

  test("finds several in one go, each in its place, and none that is not there", async () => {
    const sockets = testSockets();
    const pairs = await Promise.all(Array.from({ length: 5 }, () => Pair.connect()));
    const none = { address: "127.0.0.1", port: 1 };
    const found = sockets.find([none, ...pairs.map(({ peer }) => peer), none]);
    expect([found.at(0), found.at(-1), new Set(found).size]).toEqual([undefined, undefined, 6]);
    for (const [index, { peer }] of pairs.entries()) {
      const fd = found[index + 1] ?? -1;
      expect(sockets.transfer(fd, peer)).toBeDefined();
      for (const other of pairs) if (other.peer !== peer) expect(sockets.transfer(fd, other.peer)).toBeUndefined();
    }
    for (const pair of pairs) pair[Symbol.dispose]();
  });

  test("tells nothing of a file that is no socket, or is closed by now", async () => {
    const sockets = testSockets();
    const pair = await Pair.connect();
    const [fd = -1] = sockets.find([pair.peer]);
    pair[Symbol.dispose]();
    await pair.closed;
    expect(sockets.transfer(fd, pair.peer)).toBeUndefined();
    expect(sockets.transfer(0, pair.peer)).toBeUndefined();
    expect(sockets.transfer(-1, pair.peer)).toBeUndefined();
    expect(sockets.find([pair.peer])).toEqual([undefined]);
  });

  test("counts the bytes of both directions, and tells when the peer's kernel has everything", async () => {
    const sockets = testSockets();
    using pair = await Pair.connect();
    const [fd = -1] = sockets.find([pair.peer]);
    const before = sockets.transfer(fd, pair.peer);
    if (before === undefined) throw new Error();
    pair.client.write("x".repeat(1000));
    await until(async () => sockets.transfer(fd, pair.peer)?.received === before.received + 1000n);
    pair.server.write("x".repeat(2000));
    await until(async () => {
      const { acked, waiting } = sockets.transfer(fd, pair.peer) ?? before;
      return acked === before.acked + 2000n && !waiting;
    });
  });

  test("tells that something waits where the peer takes no more", async () => {
    const sockets = testSockets();
    using pair = await Pair.connect();
    pair.fill();
    const [fd = -1] = sockets.find([pair.peer]);
    expect(sockets.transfer(fd, pair.peer)?.waiting).toBe(true);
  });
});
