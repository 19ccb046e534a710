import { networkOf } from "../ops/client-address.ts";
import { limitExceeded } from "../protocol/codes.ts";

/** How many connections there are from each address, and the bound on that. An IPv6 network of 64 bits counts as one address. */
export class AddressCounts {
  readonly #most: number;
  readonly #counts = new Map<string, number>();
  readonly #addresses = new Map<object, string>();

  constructor(most: number) {
    this.#most = most;
  }

  /** @throws {ProtocolError} `LIMIT_EXCEEDED` where there may not be one more */
  checkRoom(address: string | undefined): void {
    if (address === undefined || (this.#counts.get(networkOf(address)) ?? 0) < this.#most) return;
    throw limitExceeded("MAX_CONNECTIONS_PER_ADDRESS", this.#most);
  }

  add(connection: object, address: string | undefined): void {
    if (address === undefined) return;
    const network = networkOf(address);
    this.#addresses.set(connection, network);
    this.#counts.set(network, (this.#counts.get(network) ?? 0) + 1);
  }

  /** Call when a connection is gone; a second time it changes nothing. */
  remove(connection: object): void {
    const address = this.#addresses.get(connection);
    if (address === undefined) return;
    this.#addresses.delete(connection);
    const left = (this.#counts.get(address) ?? 0) - 1;
    if (left > 0) this.#counts.set(address, left);
    else this.#counts.delete(address);
  }
}
