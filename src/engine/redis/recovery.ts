import { z } from "zod";
import type { Commands } from "./commands.ts";
import type { Keys } from "./keys.ts";
import type { KnownTopic } from "./known-topic.ts";
import type { Replicas } from "./replicas.ts";

const strings = z.array(z.string());
const life = z.string().nullable();

export type RecoveryPorts = {
  keys: Keys;
  replicas: Replicas;
  makeEpoch(): string;
  /** Redis lost its data, and so many topics were put back. */
  lost(topics: number): void;
};

/**
 * Finds out whether Redis still has the data that this node goes by, and puts back the topics that the node knows, each in a
 * new epoch. Data has a life: a word that is lost with it.
 */
export class Recovery {
  readonly #ports: RecoveryPorts;

  constructor(ports: RecoveryPorts) {
    this.#ports = ports;
  }

  /**
   * Puts back what is lost, and forgets what was deleted. From then on the commands go by the life that there is now.
   *
   * @returns whether Redis has lost all that it had
   */
  async run(commands: Commands): Promise<boolean> {
    const before = commands.life;
    commands.life = await this.#lifeOf(commands);
    const topics = [...this.#ports.replicas];
    const isLost = before !== "" && before !== commands.life;
    if (isLost) {
      await Promise.all(topics.map((topic) => this.#restore(commands, topic)));
      this.#ports.lost(topics.length);
    } else await this.#compare(commands, topics);
    return isLost;
  }

  /** The word of the data. Of several nodes that find none, one sets it. */
  async #lifeOf(commands: Commands): Promise<string> {
    const { keys, makeEpoch } = this.#ports;
    const found = life.parse(await commands.send("HGET", [keys.state, "life"]));
    if (found !== null) return found;
    await commands.send("HSETNX", [keys.state, "life", makeEpoch()]);
    return this.#lifeOf(commands);
  }

  async #compare(commands: Commands, topics: readonly KnownTopic[]): Promise<void> {
    const { keys, replicas } = this.#ports;
    const heads = await commands.list(topics.map(({ name }) => name));
    const deleted: KnownTopic[] = [];
    for (const [index, topic] of topics.entries()) {
      const { born = "", epoch = "", life: found = "" } = heads[index] ?? {};
      if (epoch !== "" && topic.isSame(born) && found === commands.life) continue;
      const isThere = (await commands.send("ZSCORE", [keys.topics, topic.name])) !== null;
      if (isThere && (epoch === "" || found !== commands.life)) await this.#restore(commands, topic);
      else deleted.push(topic);
    }
    // If the data was lost just now, nothing tells what was deleted.
    if (deleted.length === 0 || (await this.#lifeOf(commands)) !== commands.life) return;
    for (const topic of deleted) replicas.forget(topic);
  }

  async #restore(commands: Commands, topic: KnownTopic): Promise<void> {
    const { replicas } = this.#ports;
    const opened = await commands.open(replicas.subject(topic.name), "restore");
    // Another node may have put it back before, who did not know it: it is the same topic all the same.
    topic.born = opened.born;
    replicas.meet(topic.name, opened);
  }
}

/** The names of all topics, in the order of their creation. */
export async function topicNames(commands: Commands, keys: Keys): Promise<string[]> {
  return strings.parse(await commands.send("ZRANGE", [keys.topics, "0", "-1"]));
}
