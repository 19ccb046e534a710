import type { LocalBroker } from "../engine.ts";
import type { Commands } from "./commands.ts";
import type { Replicas } from "./replicas.ts";

/** How often topics are looked at, in milliseconds. */
export const LOOK_MS = 3000;

/** How long a probe may take, in milliseconds. */
const PROBE_MS = 2000;

/** After how many looks a topic that nobody is subscribed to is not followed any more. */
const IDLE_LOOKS = 3;

export type WatchPorts = {
  broker: LocalBroker;
  commands: Commands;
  replicas: Replicas;
  /** The channel that only this node hears. */
  inbox: string;
  after(ms: number, work: () => void): () => void;
  /** A channel lost what this node sent to itself. */
  probeLost(): void;
};

/**
 * Looks whether channels have lost something, which they do without a word.
 *
 * It asks where all followed topics stand, and then sends itself a probe through Redis. When the probe is heard, so was
 * everything that was published before. A topic that is behind then has lost something. A probe that is not heard means that
 * nothing is.
 */
export class Watch {
  readonly #ports: WatchPorts;
  #probes = 0;
  #heard: () => void = () => {};
  #looking = false;

  constructor(ports: WatchPorts) {
    this.#ports = ports;
  }

  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      this.#dropIdle();
      await this.#compare();
    } finally {
      this.#looking = false;
    }
  }

  /** A probe has come back. */
  heard(probe: number): void {
    if (probe === this.#probes) this.#heard();
  }

  #dropIdle(): void {
    const { broker, replicas } = this.#ports;
    for (const topic of replicas) {
      if (topic.following === undefined || topic.catchingUp !== undefined) continue;
      if (broker.subscribersOf(topic.name) > 0) topic.idleLooks = 0;
      else if (++topic.idleLooks > IDLE_LOOKS) replicas.unfollow(topic);
    }
  }

  async #compare(): Promise<void> {
    const { commands, inbox, replicas, after } = this.#ports;
    const topics = [...replicas].filter(({ following }) => following !== undefined);
    const heads = await commands.list(topics.map(({ name }) => name));
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#heard = () => resolve(true);
    const probe = JSON.stringify(["probe", ++this.#probes]);
    await commands.send("PUBLISH", [inbox, probe]);
    const stop = after(PROBE_MS, () => resolve(false));
    const isHeard = await promise;
    stop();
    if (!isHeard) return this.#ports.probeLost();
    for (const [index, topic] of topics.entries()) {
      const head = heads[index];
      if (topic.gone || topic.following === undefined || head === undefined) continue;
      // A new epoch is seen by that too, and so is a topic that is gone or another.
      const isCurrent = head.run === commands.server && head.epoch === topic.text.epoch;
      if (!isCurrent || head.seq > (topic.head ?? 0)) replicas.refresh(topic);
    }
  }
}
