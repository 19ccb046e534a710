import { Progress } from "../../src/kernel/progress.ts";
import type { Address, Transfer } from "../../src/kernel/sockets.ts";

/** Sockets of peers that all stand at the same place, which a test moves on. */
export class FakeSockets {
  /** Whether the sockets are found. */
  findable = true;
  /** Where they stand; undefined where they are other ones' by now. */
  now: Transfer | undefined = { acked: 0n, received: 0n, waiting: true };
  /** How often they were searched for. */
  searches = 0;
  readonly progress = new Progress(this);

  find(peers: readonly Address[]): (number | undefined)[] {
    this.searches++;
    return peers.map(() => (this.findable ? 3 : undefined));
  }

  transfer(): Transfer | undefined {
    return this.now;
  }

  /** The peers take some bytes off their backlog. */
  take(): void {
    if (this.now !== undefined) this.now = { ...this.now, acked: this.now.acked + 1n };
  }
}
