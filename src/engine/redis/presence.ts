import type { Commands } from "./commands.ts";
import type { Keys } from "./keys.ts";
import { Lost } from "./meaning.ts";
import type { Members } from "./members.ts";
import type { Nodes } from "./nodes.ts";
import type { Recovery } from "./recovery.ts";
import type { Replicas } from "./replicas.ts";

export type PresencePorts = {
  commands: Commands;
  keys: Keys;
  members: Members;
  nodes: Nodes;
  recovery: Recovery;
  replicas: Replicas;
  /** What this node is called. */
  id: string;
  /** Topics that are there from the start. */
  topics: readonly string[];
  /** A node gave no sign of life: its client ids are free. */
  nodeGone(name: string): void;
  failed(cause: unknown): void;
};

/**
 * This node among the others. It has a new name with each connection, under which it gives signs of life and claims its
 * subscribers' ids. What its former self had is tidied up as after any node that is gone.
 */
export class Presence {
  readonly #ports: PresencePorts;
  #connections = 0;
  #recovering: Promise<void> | undefined;

  constructor(ports: PresencePorts) {
    this.#ports = ports;
  }

  /** A connection to `server` is there: finds out what has become of the data, and joins the other nodes. */
  async connected(over: Commands, server: string): Promise<void> {
    const { commands, recovery, replicas, topics } = this.#ports;
    over.server = server;
    const life = await recovery.run(over, commands.life);
    [commands.server, commands.life] = [server, life];
    for (const topic of topics) await over.open(replicas.subject(topic), "ensure");
    await this.#join(over);
  }

  /** Puts back what Redis has lost while it was connected to. */
  recover(): Promise<void> {
    const { commands, recovery } = this.#ports;
    const run = async () => {
      commands.life = await recovery.run(commands, commands.life);
      await this.#join(commands);
    };
    this.#recovering ??= run().finally(() => (this.#recovering = undefined));
    return this.#recovering;
  }

  /** Asks again after what Redis has lost is put back: what this node knows and, if that does not suffice, the topic itself. */
  async unlessLost<T>(name: string, ask: () => Promise<T>): Promise<T> {
    const { commands, replicas } = this.#ports;
    const putBack = [() => this.recover(), () => commands.open(replicas.subject(name), "restore")];
    for (const step of putBack) {
      try {
        return await ask();
      } catch (cause) {
        if (!(cause instanceof Lost)) throw cause;
      }
      await step();
    }
    return ask();
  }

  /** Gives a sign of life, and tidies up after those that gave none for long. */
  async beat(): Promise<void> {
    const { commands, members, nodes, nodeGone } = this.#ports;
    const { known, dead } = await nodes.beat(members.node);
    if (!known) await this.#join(commands);
    for (const name of dead) if (await nodes.tidyAfter(name)) nodeGone(name);
  }

  leave(): Promise<void> {
    return this.#ports.nodes.leave(this.#ports.members.node);
  }

  async #join(commands: Commands): Promise<void> {
    const { keys, members, nodes, id, failed } = this.#ports;
    const former = members.node;
    const name = `${id}.${++this.#connections}`;
    await nodes.beat(name, commands);
    await members.claimAgain(commands, name);
    if (former === "") return;
    await commands.send("DEL", [keys.node(former)]);
    nodes.tidyAfter(former).catch(failed);
  }
}
