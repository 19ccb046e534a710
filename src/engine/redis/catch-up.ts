import { topicNotFound } from "../../protocol/codes.ts";
import type { LocalBroker } from "../engine.ts";
import type { Page } from "./answers.ts";
import type { Commands } from "./commands.ts";
import type { KnownTopic } from "./known-topic.ts";
import type { Pace } from "./pace.ts";
import { messageOf, metaOf, type Heard } from "./wire.ts";

/** About how much of a topic is read at once, in bytes. */
const PAGE_BYTES = 1_048_576;

/** How long a channel may take to bring what was published already, in milliseconds. */
export const REACH_MS = 50;

export type CatchUpPorts = {
  broker: LocalBroker;
  commands: Commands;
  /** So many messages came late: their channel had lost them. */
  filled(messages: number): void;
  after(ms: number, work: () => void): () => void;
  /** Asks again after what Redis has lost is put back. */
  unlessLost<T>(name: string, ask: () => Promise<T>): Promise<T>;
};

/** What takes in what is read. */
export interface Receiving {
  /** Makes the topic known to the broker, if it is not. */
  enter(topic: KnownTopic, base: number): void;
  /** Hands over messages, as far as the broker does not have them. */
  append(topic: KnownTopic, messages: Omit<Heard, "tag" | "epoch">): void;
  /** Hands over what was heard meanwhile and comes next. */
  drainInbox(topic: KnownTopic): Promise<void>;
  /** Forgets what was heard. */
  empty(topic: KnownTopic, overflowed: boolean): void;
  /** The topic is gone. */
  forget(topic: KnownTopic): void;
}

/** Reads from the stream of a topic what the broker does not have. */
export class CatchUp {
  readonly #replicas: Receiving;
  readonly #pace: Pace;
  readonly #ports: CatchUpPorts;

  constructor(replicas: Receiving, pace: Pace, ports: CatchUpPorts) {
    this.#replicas = replicas;
    this.#pace = pace;
    this.#ports = ports;
  }

  /** Reads until there is no more. Once it has begun, `topic.again` asks for another round. */
  async run(topic: KnownTopic): Promise<void> {
    let more = false;
    try {
      while (topic.again || more) {
        topic.again = false;
        const page = await this.#read(topic);
        if (topic.gone) throw topicNotFound(topic.name);
        if (!topic.isSame(page.born)) {
          this.#replicas.forget(topic);
          throw topicNotFound(topic.name);
        }
        ({ more } = page);
        await this.#replicas.drainInbox(topic);
        // The stream does not reach back to where the broker stands, and the channel may still bring what lies between.
        if (page.oldest > (topic.head ?? 0) + 1 && topic.head !== undefined && !topic.repairs) {
          await new Promise<void>((resolve) => this.#ports.after(REACH_MS, resolve));
          await this.#replicas.drainInbox(topic);
        }
        await this.#take(topic, page);
        if (topic.gone) throw topicNotFound(topic.name);
        await this.#replicas.drainInbox(topic);
      }
    } catch (cause) {
      topic.again = false;
      this.#replicas.empty(topic, false);
      throw cause;
    } finally {
      topic.repairs = false;
      // Now, and not a moment later: whoever asks from here on has it read anew.
      topic.catchingUp = undefined;
    }
  }

  async #read(topic: KnownTopic): Promise<Page> {
    const { commands, unlessLost } = this.#ports;
    const subject = { name: topic.name, keys: topic.keys, known: topic };
    try {
      return await unlessLost(topic.name, () => {
        return commands.read(subject, { from: (topic.head ?? 0) + 1, bytes: PAGE_BYTES });
      });
    } catch (cause) {
      if (isGone(cause)) this.#replicas.forget(topic);
      throw cause;
    }
  }

  /** Hands a page to the broker, and goes over to a new epoch where it begins. */
  async #take(topic: KnownTopic, { epoch, prev, base, seq, more, entries }: Page): Promise<void> {
    if (topic.head === undefined) {
      topic.renew(epoch, base);
      this.#replicas.enter(topic, base);
    }
    let rest = entries;
    if (epoch !== topic.text.epoch) {
      const before = topic.head ?? 0;
      // What is there up to the new epoch is of the one before. If that is not the one known here, nobody knows.
      const old = prev === topic.text.epoch ? entries.filter(([first]) => first <= base) : [];
      await this.#place(topic, old);
      if (topic.gone || (old.length > 0 && old.length === entries.length && more)) return;
      topic.renew(epoch, base);
      topic.head = base;
      this.#ports.broker.epochChanged(topic.text, base);
      if (before > base) {
        // It was read from further on: what lies between is read first.
        topic.again = true;
        return;
      }
      rest = entries.filter(([first]) => first > base);
    }
    await this.#place(topic, rest);
    if (topic.gone || more || (topic.head ?? 0) >= seq) return;
    // The stream does not have it any more.
    topic.head = seq;
    this.#ports.broker.append(topic.name, { first: seq + 1, ts: "", messages: [], findable: false });
  }

  /** Hands entries of the stream to the broker, some in each turn if anybody waits for them. */
  async #place(topic: KnownTopic, entries: Page["entries"]): Promise<void> {
    const before = topic.head ?? 0;
    for (const [first, meta, entry] of entries) {
      while (this.#ports.broker.subscribersOf(topic.name) > 0 && !this.#pace.mayGoOn(topic)) {
        await this.#pace.nextTurn();
        if (topic.gone) return;
      }
      this.#pace.note(topic, 1);
      this.#replicas.append(topic, { first, messages: [messageOf(entry)], ...metaOf(meta) });
    }
    if (topic.repairs) this.#ports.filled(entries.filter(([first]) => first > before).length);
  }
}

function isGone(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "TOPIC_NOT_FOUND";
}
