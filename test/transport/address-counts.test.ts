import { expect, test } from "bun:test";
import { AddressCounts } from "../../src/transport/address-counts.ts";

test.each([
  ["192.0.2.1", "192.0.2.1", "192.0.2.2"],
  ["2001:db8:0:1::1", "2001:0DB8:0000:0001:ffff:ffff:ffff:ffff", "2001:db8:0:2::1"],
  ["::1", "::2", "1::1"],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"],
])("%s counts with %s, and not with %s", (address, same, other) => {
  const counts = new AddressCounts(1);
  const connection = {};
  counts.add(connection, address);
  expect(() => counts.checkRoom(same)).toThrow("MAX_CONNECTIONS_PER_ADDRESS is 1");
  expect(() => counts.checkRoom(other)).not.toThrow();
  counts.remove(connection);
  expect(() => counts.checkRoom(same)).not.toThrow();
});
