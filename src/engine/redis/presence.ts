import { unavailable } from "../../protocol/codes.ts";
import type { Commands } from "./commands.ts";
import type { Keys } from "./keys.ts";
import { Lost } from "./meaning.ts";
import type { Members } from "./members.ts";
import type { Nodes } from "./nodes.ts";
import type { Recovery } from "./recovery.ts";
import type { Replicas } from "./replicas.ts";
import { LOOK_MS } from "./watch.ts";

/**
 * How long after Redis has lost its data a topic that is not there may still be put back by another node, in milliseconds:
 * by then every node has looked.
 */
const UNSETTLED_MS = 2 * LOOK_MS;

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
  after(ms: number, work: () => void): () => void;
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
    const { commands } = this.#ports;
    over.server = server;
    over.life = commands.life;
    await this.#putBack(over);
    [commands.server, commands.life] = [server, over.life];
    await this.#join(over);
  }

  /** Puts back what Redis has lost while it was connected to. */
  recover(): Promise<void> {
    const { commands } = this.#ports;
    const run = async () => {
      // Until all is put back everybody else is refused, and waits.
      const own = commands.copy();
      await this.#putBack(own);
      commands.life = own.life;
      // Whoever waits for what was lost does not wait for this.
      this.#join(commands).catch(this.#ports.failed);
    };
    this.#recovering ??= run().finally(() => (this.#recovering = undefined));
    return this.#recovering;
  }

  /**
   * Asks again after what Redis has lost is put back: what this node knows and, if that does not suffice, the topic itself.
   *
   * @throws {ProtocolError} `UNAVAILABLE` if it is lost again and again
   */
  async unlessLost<T>(name: string, ask: () => Promise<T>): Promise<T> {
    const { commands, replicas } = this.#ports;
    const recover = () => this.recover();
    const restore = () => commands.open(replicas.subject(name), "restore");
    for (const putBack of [recover, restore, recover]) {
      try {
        return await ask();
      } catch (cause) {
        if (!(cause instanceof Lost)) throw cause;
      }
      await putBack();
    }
    throw unavailable("The engine loses its data again and again");
  }

  /** Gives a sign of life, and tidies up after those that gave none for long. */
  async beat(): Promise<void> {
    const { commands, members, nodes } = this.#ports;
    const { known, dead } = await nodes.beat(members.node);
    if (!known) await this.#join(commands);
    // That may take longer than a sign of life may be late.
    for (const name of dead) this.#bury(name).catch(this.#ports.failed);
  }

  leave(): Promise<void> {
    return this.#ports.nodes.leave(this.#ports.members.node);
  }

  async #bury(name: string): Promise<void> {
    const { nodes, nodeGone } = this.#ports;
    if (!(await nodes.tidyAfter(name))) return;
    // A node that has another name by now is not gone.
    const isThere = (await nodes.list()).some(({ id }) => name.startsWith(`${id}.`));
    if (!isThere) nodeGone(name);
  }

  /** Puts back what is lost, and creates what has to be there. */
  async #putBack(commands: Commands): Promise<void> {
    const { recovery, replicas, topics, after } = this.#ports;
    if (await recovery.run(commands)) {
      this.#ports.commands.isUnsettled = true;
      after(UNSETTLED_MS, () => (this.#ports.commands.isUnsettled = false));
    }
    const open = async (name: string) => {
      replicas.meet(name, await commands.open(replicas.subject(name), "ensure"));
    };
    await Promise.all(topics.map(open));
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
