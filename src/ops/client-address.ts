import { BlockList, isIP, isIPv6 } from "node:net";

/** Tells whom a connection comes from, where proxies stand in front. */
export class ClientAddress {
  readonly #trusted = new BlockList();
  readonly #trustsAny: boolean;

  /** @param proxies addresses, or subnets such as `10.0.0.0/8`, whose `X-Forwarded-For` is believed */
  constructor(proxies: readonly string[] = []) {
    this.#trustsAny = proxies.length > 0;
    for (const proxy of proxies) {
      const [address = "", bits] = proxy.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      if (bits === undefined) this.#trusted.addAddress(address, family);
      else this.#trusted.addSubnet(address, Number(bits), family);
    }
  }

  /**
   * The address of a client: that of the connection or, where a trusted proxy has made it, the last in `X-Forwarded-For` that no
   * trusted proxy has.
   */
  of(remote: string, forwarded: string | null): string {
    if (!this.#trustsAny || !this.#isTrusted(remote)) return remote;
    const hops = (forwarded ?? "").split(",").map((hop) => hop.trim());
    const client = hops.findLast((hop) => isIP(hop) === 0 || !this.#isTrusted(hop));
    return client !== undefined && isIP(client) !== 0 ? client : remote;
  }

  #isTrusted(address: string): boolean {
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
    const version = isIP(plain);
    return version !== 0 && this.#trusted.check(plain, version === 6 ? "ipv6" : "ipv4");
  }
}

/** What one client can choose its addresses from: itself, or with IPv6 the network that providers give to each (RFC 6177 §2). */
export function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes(".")) return address;
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  while (groups.length + after.length < 8) groups.push("0");
  const network = [...groups, ...after].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}
