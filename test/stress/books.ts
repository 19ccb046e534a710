import type { Random } from "../support/random.ts";
import { Ledger, type Sums, type Terms } from "./ledger.ts";
import { Truth } from "./truth.ts";

/** What happened in a run, counted. */
export type Tally = {
  cuts: number;
  stalls: number;
  "long stalls": number;
  "slow uploads": number;
  ghosts: number;
  takeovers: number;
  deletions: number;
  "ledger samples": number;
  resumed: number;
  recovered: number;
  "closed by server": number;
};

/** What all who take part in one run write into, and what they find in it. */
export class Books {
  readonly truth = new Truth();
  readonly tally: Tally = {
    cuts: 0,
    stalls: 0,
    "long stalls": 0,
    "slow uploads": 0,
    ghosts: 0,
    takeovers: 0,
    deletions: 0,
    "ledger samples": 0,
    resumed: 0,
    recovered: 0,
    "closed by server": 0,
  };
  readonly #terms: Terms;
  readonly #ledgers: { epoch: string; ledger: Ledger }[] = [];
  readonly #joined = new Set<string>();
  readonly #joinedUnheard = new Map<string, number>();
  readonly #replaced: { who: string; topic: string; clientId: string; epoch: string; seq: number }[] = [];
  #failure: Error | undefined;
  readonly #failed = Promise.withResolvers<void>();
  #running = true;

  constructor(terms: Terms) {
    this.#terms = terms;
  }

  /** Whether to go on doing things; not after the first failure either. */
  get running(): boolean {
    return this.#running;
  }

  stop(): void {
    this.#running = false;
  }

  fail(cause: unknown): void {
    this.#failure ??= cause instanceof Error ? cause : new Error(String(cause));
    this.#running = false;
    this.#failed.resolve();
  }

  /** Resolves at the first failure. */
  get failed(): Promise<void> {
    return this.#failed.promise;
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** A new ledger, for a subscriber's first sight of an epoch. */
  open(name: string, epoch: string): Ledger {
    const ledger = new Ledger(name, this.#terms);
    this.#ledgers.push({ epoch, ledger });
    return ledger;
  }

  /** Somebody subscribed under the id when `seq` was the newest, and so took it over from whoever had it. */
  joined(topic: string, clientId: string, epoch: string, seq: number): void {
    this.#joined.add(`${topic} ${clientId} ${epoch} ${seq}`);
  }

  /** The same, but the connection was gone before it heard of it. */
  joinedUnheard(topic: string, clientId: string): void {
    const key = `${topic} ${clientId}`;
    this.#joinedUnheard.set(key, (this.#joinedUnheard.get(key) ?? 0) + 1);
  }

  /** Somebody lost the id, and was told of everything up to `seq`. */
  replaced(who: string, topic: string, clientId: string, epoch: string, seq: number): void {
    this.#replaced.push({ who, topic, clientId, epoch, seq });
  }

  /** Balances every ledger, holds them against each other and against the truth, and sums them up. */
  balance(): Sums {
    this.truth.check();
    const sums: Sums = { received: 0, dropped: 0, skipped: 0, missed: 0 };
    for (const { epoch, ledger } of this.#ledgers) {
      const { received, dropped, skipped, missed } = ledger.balance(this.truth.newest(epoch));
      sums.received += received;
      sums.dropped += dropped;
      sums.skipped += skipped;
      sums.missed += missed;
    }
    for (const { who, topic, clientId, epoch, seq } of this.#replaced) {
      if (this.#joined.has(`${topic} ${clientId} ${epoch} ${seq}`)) continue;
      const key = `${topic} ${clientId}`;
      const unheard = this.#joinedUnheard.get(key) ?? 0;
      if (unheard === 0) throw new Error(`${who} was told of all up to ${seq}, and nobody took it over there`);
      this.#joinedUnheard.set(key, unheard - 1);
    }
    return sums;
  }
}

/** Does nothing for a while, a different one each time. */
export function idle(random: Random, upToMs: number): Promise<void> {
  return Bun.sleep(random.int(upToMs));
}
