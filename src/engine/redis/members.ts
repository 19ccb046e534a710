import { topicNotFound } from "../../protocol/codes.ts";
import type { Claim, LocalBroker } from "../engine.ts";
import type { Claimed } from "./answers.ts";
import type { Commands } from "./commands.ts";
import type { KnownTopic } from "./known-topic.ts";
import type { Replicas } from "./replicas.ts";

/** How many claims are made at once where all are made again. */
const AT_ONCE = 500;

export type MembersPorts = {
  broker: LocalBroker;
  commands: Commands;
  replicas: Replicas;
  failed(cause: unknown): void;
};

/**
 * Who is subscribed at this node. Redis has one member of a `client_id` in each topic, wherever it is subscribed, so that a
 * client that subscribes at another node takes over from itself. A claim's number tells it from any other of its node.
 */
export class Members {
  readonly #ports: MembersPorts;
  /** What this node is called in claims. It takes another name with each connection: what it had before is tidied up. */
  node = "";
  #claims = 0;
  /** Claims that are under way, and whether another node has taken one over before its answer came here. */
  readonly #underWay = new Map<number, { isTaken: boolean }>();

  constructor(ports: MembersPorts) {
    this.#ports = ports;
  }

  /**
   * Takes a `client_id`, and then has `begin` subscribe. If that does not subscribe, the id is free again.
   *
   * @param ready is waited for in between
   */
  async take<T>(topic: KnownTopic, claim: Claim, ready: (found: Claimed) => Promise<void>, begin: () => T): Promise<T> {
    const { broker, commands, replicas } = this.#ports;
    const { clientId, owner } = claim;
    const number = ++this.#claims;
    const underWay = { isTaken: false };
    this.#underWay.set(number, underWay);
    try {
      let node = this.node;
      let found = await commands.claim(replicas.subject(topic.name), claim, { node, number });
      // The node may have got another name meanwhile.
      while (node !== this.node) {
        node = this.node;
        found = await commands.claim(replicas.subject(topic.name), claim, { node, number, isAgain: true });
        if (!found.isOurs) underWay.isTaken = true;
      }
      topic.claims.set(clientId, { number, owner });
      try {
        await ready(found);
        if (topic.gone) throw topicNotFound(topic.name);
        const begun = begin();
        if (underWay.isTaken) this.#end(topic, clientId, number);
        return begun;
      } finally {
        if (topic.gone || !broker.isSubscribed(topic.name, clientId)) this.#free(topic, clientId, number);
      }
    } finally {
      this.#underWay.delete(number);
    }
  }

  /** A subscription has ended here: its id is free. */
  left(name: string, clientId: string): void {
    const topic = this.#ports.replicas.get(name);
    const held = topic?.claims.get(clientId);
    if (topic !== undefined && held !== undefined) this.#free(topic, clientId, held.number);
  }

  /** Another node has taken over a claim of this one. */
  replaced(name: string, clientId: string, number: number): void {
    const underWay = this.#underWay.get(number);
    if (underWay !== undefined) underWay.isTaken = true;
    const topic = this.#ports.replicas.get(name);
    if (topic !== undefined && underWay === undefined) this.#end(topic, clientId, number);
  }

  /**
   * Claims everything again, under a new name of this node. What another node has by now stays there, and ends here.
   *
   * @param commands those of the new connection
   */
  async claimAgain(commands: Commands, node: string): Promise<void> {
    const { replicas, failed } = this.#ports;
    this.node = node;
    let waiting: Promise<void>[] = [];
    for (const topic of [...replicas]) {
      for (const [clientId, held] of [...topic.claims]) {
        const { owner } = held;
        const again = async () => {
          const by = { node, number: ++this.#claims, isAgain: true };
          const underWay = { isTaken: false };
          this.#underWay.set(by.number, underWay);
          try {
            const { isOurs } = await commands.claim(replicas.subject(topic.name), { clientId, owner }, by);
            // It may have ended, or been claimed anew.
            if (topic.claims.get(clientId) !== held) this.#release(topic, clientId, by.number);
            else if (isOurs && !underWay.isTaken) topic.claims.set(clientId, { number: by.number, owner });
            else this.#end(topic, clientId, held.number);
          } finally {
            this.#underWay.delete(by.number);
          }
        };
        waiting.push(again().catch(failed));
        if (waiting.length < AT_ONCE) continue;
        await Promise.all(waiting);
        waiting = [];
      }
    }
    await Promise.all(waiting);
  }

  /** Another node has the id now: the subscription of that claim ends. */
  #end(topic: KnownTopic, clientId: string, number: number): void {
    if (topic.claims.get(clientId)?.number !== number) return;
    topic.claims.delete(clientId);
    this.#ports.broker.takenOver(topic.name, clientId);
  }

  /** Nobody is subscribed by that claim any more. */
  #free(topic: KnownTopic, clientId: string, number: number): void {
    if (topic.claims.get(clientId)?.number === number) topic.claims.delete(clientId);
    this.#release(topic, clientId, number);
  }

  /** Frees the id in Redis, unless it was claimed anew. If that fails, the node's next connection tidies up. */
  #release({ name }: KnownTopic, clientId: string, number: number): void {
    const { commands, replicas, failed } = this.#ports;
    commands.release(replicas.subject(name), [[clientId, `${this.node} ${number} `]]).catch(failed);
  }
}
