import { expect, test } from "bun:test";
import { ClientAddress } from "../../src/ops/client-address.ts";

const PROXIES = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"];

test.each([
  ["without a proxy the header is nobody's word", [], "10.0.0.1", "203.0.113.7", "10.0.0.1"],
  ["a stranger's header is not believed", PROXIES, "203.0.113.9", "203.0.113.7", "203.0.113.9"],
  ["a proxy's is", PROXIES, "10.1.2.3", "203.0.113.7", "203.0.113.7"],
  ["one mapped to IPv6 too", PROXIES, "::ffff:10.1.2.3", "203.0.113.7", "203.0.113.7"],
  ["of several the last that is no proxy's", PROXIES, "10.1.2.3", "1.2.3.4, 203.0.113.7, 192.0.2.1", "203.0.113.7"],
  ["what a client has put before it counts for nothing", PROXIES, "10.1.2.3", "9.9.9.9, 203.0.113.7", "203.0.113.7"],
  ["of proxies only, the connection's", PROXIES, "10.1.2.3", "10.0.0.1, 192.0.2.1", "10.1.2.3"],
  ["without a header, the connection's", PROXIES, "10.1.2.3", null, "10.1.2.3"],
  ["of nonsense, the connection's", PROXIES, "10.1.2.3", "1.2.3.4, unknown", "10.1.2.3"],
  ["IPv6", PROXIES, "2001:db8::1", "2001:db9::7", "2001:db9::7"],
] as const)("%s", (_what, proxies, remote, forwarded, expected) => {
  expect(new ClientAddress(proxies).of(remote, forwarded)).toBe(expected);
});
