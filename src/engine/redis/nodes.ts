import { z } from "zod";
import { nodeInfo, topicDetail, type NodeInfo, type SubscriberPage, type TopicDetail } from "../../protocol/nodes.ts";
import type { Commands } from "./commands.ts";
import type { Keys } from "./keys.ts";
import type { Replicas } from "./replicas.ts";

/** How often a node gives a sign of life, in milliseconds. */
export const BEAT_MS = 2000;

/** After how long without one it is forgotten, in milliseconds. */
export const FORGET_MS = 8000;

/** How long one node may take to tidy up after another, in milliseconds, before a third does. */
const TIDY_MS = 10_000;

/** How long the others are waited for when they are asked, in milliseconds. */
const ASK_MS = 1000;

export type NodesPorts = {
  commands: Commands;
  keys: Keys;
  replicas: Replicas;
  /** What this process shows of itself. */
  node(): NodeInfo;
  /** What this process knows of a topic; undefined if it has no part in it. */
  detail(name: string, page: SubscriberPage): TopicDetail | undefined;
  after(ms: number, work: () => void): () => void;
  failed(cause: unknown): void;
};

const beat = z.tuple([z.int(), z.array(z.string())]);
const scanned = z.tuple([z.string(), z.array(z.string())]);
const strings = z.array(z.string());

type Asked = { left: number; readonly found: TopicDetail[]; done(): void };

/** The nodes that share one Redis: their signs of life, tidying up after those that are gone, and questions to all. */
export class Nodes {
  readonly #ports: NodesPorts;
  readonly #asked = new Map<number, Asked>();
  #questions = 0;

  constructor(ports: NodesPorts) {
    this.#ports = ports;
  }

  /** Gives a sign of life under `name`. Returns whether the last one had not expired, and who gave none for long. */
  async beat(name: string, commands = this.#ports.commands): Promise<{ known: boolean; dead: string[] }> {
    const { keys, node } = this.#ports;
    const args = [name, JSON.stringify(node()), String(FORGET_MS)];
    const [known, dead] = beat.parse(await commands.run("beat", [keys.nodes, keys.node(name)], args));
    return { known: known === 1, dead };
  }

  /** This node goes. */
  async leave(name: string): Promise<void> {
    const { commands, keys } = this.#ports;
    await Promise.all([commands.send("DEL", [keys.node(name)]), commands.send("ZREM", [keys.nodes, name])]);
  }

  /** Frees all client ids that a node had that is gone. Of several nodes one does it. Returns whether this one did. */
  async tidyAfter(name: string): Promise<boolean> {
    const { commands, keys, replicas } = this.#ports;
    if ((await commands.send("HGET", [keys.node(name), "info"])) !== null) return false;
    const mine = await commands.send("SET", [keys.tidying(name), "1", "NX", "PX", String(TIDY_MS)]);
    if (mine !== "OK") return false;
    const free = async (topic: string) => {
      const subject = replicas.subject(topic);
      for await (const pairs of this.#scan("HSCAN", subject.keys.members)) {
        const held = pairsOf(pairs).filter(([, value]) => value.startsWith(`${name} `));
        if (held.length > 0) await commands.release(subject, held);
      }
    };
    for await (const topics of this.#scan("ZSCAN", keys.topics)) {
      await Promise.all(pairsOf(topics).map(([topic]) => free(topic)));
    }
    await commands.send("ZREM", [keys.nodes, name]);
    return true;
  }

  /** All nodes that are there. */
  async list(): Promise<NodeInfo[]> {
    const { commands, keys } = this.#ports;
    const names = strings.parse(await commands.send("ZRANGE", [keys.nodes, "0", "-1"]));
    const infos = await Promise.all(names.map((name) => commands.send("HGET", [keys.node(name), "info"])));
    const found = infos.flatMap((info) => (typeof info === "string" ? [nodeInfo.parse(JSON.parse(info))] : []));
    return found.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Asks the other nodes what they know of a topic. */
  async ask(from: string, name: string, page: SubscriberPage): Promise<{ found: TopicDetail[]; unanswered: number }> {
    const { commands, keys, after } = this.#ports;
    const number = ++this.#questions;
    const { promise, resolve } = Promise.withResolvers<void>();
    const asked: Asked = { left: 0, found: [], done: resolve };
    this.#asked.set(number, asked);
    try {
      const question = ["detail", number, from, name, page.limit ?? null, page.after ?? null];
      const heardBy = z.int().parse(await commands.send("PUBLISH", [keys.control, JSON.stringify(question)]));
      // Answers may have come already. This node hears the question, too, which counts as one.
      asked.left += heardBy;
      if (asked.left > 0) {
        const stop = after(ASK_MS, resolve);
        await promise;
        stop();
      }
      return { found: asked.found, unanswered: Math.max(0, asked.left) };
    } finally {
      this.#asked.delete(number);
    }
  }

  /** A node asks. @param own what this node is called */
  answer(own: string, number: number, from: string, name: string, page: SubscriberPage): void {
    if (from === own) return this.answered(number, null);
    const { commands, keys, detail, failed } = this.#ports;
    const answer = ["answer", number, detail(name, page) ?? null];
    commands.send("PUBLISH", [keys.inbox(from), JSON.stringify(answer)]).catch(failed);
  }

  answered(number: number, detail: TopicDetail | null): void {
    const asked = this.#asked.get(number);
    if (asked === undefined) return;
    if (detail !== null) asked.found.push(detail);
    if (--asked.left === 0) asked.done();
  }

  /** The elements of a large set or hash, some at a time. */
  async *#scan(command: string, key: string): AsyncGenerator<string[]> {
    let cursor = "0";
    do {
      const answer = await this.#ports.commands.send(command, [key, cursor, "COUNT", "500"]);
      const [next, elements] = scanned.parse(answer);
      cursor = next;
      yield elements;
    } while (cursor !== "0");
  }
}

/** What nodes tell each other on channels, as JSON. */
export const nodeMessage = z.union([
  z.tuple([z.literal("deleted"), z.string(), z.string()]),
  z.tuple([z.literal("replaced"), z.string(), z.string(), z.int()]),
  z.tuple([z.literal("detail"), z.int(), z.string(), z.string(), z.int().nullable(), z.string().nullable()]),
  z.tuple([z.literal("answer"), z.int(), topicDetail.nullable()]),
  z.tuple([z.literal("probe"), z.int()]),
]);

function pairsOf(flat: readonly string[]): (readonly [string, string])[] {
  return flat.flatMap((field, index) => (index % 2 === 0 ? [[field, flat[index + 1] ?? ""] as const] : []));
}
