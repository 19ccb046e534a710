import { ProtocolError } from "../../protocol/codes.ts";
import { eventRoom, type TopicText } from "../../protocol/encode.ts";
import type { Publication } from "../../protocol/messages.ts";
import type { Claim } from "../engine.ts";
import { claimed, listed, opened, published, read } from "./answers.ts";
import type { Claimed, Listed, Opened, Page, PublishAnswer } from "./answers.ts";
import type { KnownTopic } from "./known-topic.ts";
import type { Keys } from "./keys.ts";
import type { Asking } from "./link.ts";
import { isRefusal, meaningOf } from "./meaning.ts";
import type { ScriptName } from "./scripts.ts";
import { fixedBytes, tooLarge } from "./sizes.ts";
import { entryOf, SEPARATOR } from "./wire.ts";

export type RedisEngineLimits = {
  maxTopics: number;
  maxHistory: number;
  maxSubscriberQueue: number;
  /** The most bytes of one event's frame. */
  maxMessageBytes: number;
  /** Whether the first use of a topic creates it. */
  autoCreateTopics: boolean;
  /** The most bytes of messages that wait for Redis. */
  enginePendingBytes: number;
};

/** What of a topic is read: the numbers `from` to `to`, or the newest `last`, up to about so many bytes. */
export type ReadRange = { from: number; to?: number | undefined; last?: number | undefined; bytes: number };

export type OpenMode = "find" | "ensure" | "create" | "restore";

/** How many topics are asked for at once where all are listed. */
const LIST_CHUNK = 200;

/** A topic that a command is about, with the position that this node knows of it, if it does. */
export type Subject = Pick<KnownTopic, "name" | "keys"> & { readonly known: KnownTopic | undefined };

/** The node that claims an id, and the number that it gives the claim. */
export type By = {
  node: string;
  number: number;
  /** Whether it has claimed the id before. If another node has it by now, it stays there. */
  isAgain?: boolean;
};

/** The scripts as functions: what they are given, what they answer, and what their errors mean. */
export class Commands {
  readonly #asking: Asking;
  readonly #whenOpen: () => Promise<void> | undefined;
  readonly #keys: Keys;
  readonly #limits: RedisEngineLimits;
  readonly #makeEpoch: () => string;
  /** An epoch for a topic that needs one. */
  #fresh: string;
  /** Which server is asked. */
  server = "";
  /** Which life of its data this node goes by. */
  life = "";
  /** Whether Redis has just lost its data, and a topic that is not there may still be put back. */
  isUnsettled = false;

  constructor(
    asking: Asking,
    whenOpen: () => Promise<void> | undefined,
    keys: Keys,
    limits: RedisEngineLimits,
    makeEpoch: () => string,
  ) {
    this.#asking = asking;
    this.#whenOpen = whenOpen;
    this.#keys = keys;
    this.#limits = limits;
    this.#makeEpoch = makeEpoch;
    this.#fresh = makeEpoch();
  }

  /** The same, on a connection that nobody else asks yet. */
  over(asking: Asking): Commands {
    return new Commands(asking, () => undefined, this.#keys, this.#limits, this.#makeEpoch);
  }

  /** The same, which may go by another life of the data. */
  copy(): Commands {
    const commands = new Commands(this.#asking, this.#whenOpen, this.#keys, this.#limits, this.#makeEpoch);
    [commands.server, commands.life] = [this.server, this.life];
    return commands;
  }

  /** How many messages the stream of a topic keeps: as many as a node's log. */
  get #kept(): number {
    return this.#limits.maxHistory + this.#limits.maxSubscriberQueue;
  }

  /**
   * @param text of the topic, in whatever epoch
   * @param placed is told the messages' place, before anything that was asked later is answered
   * @throws {ProtocolError} `TOPIC_NOT_FOUND`, `TOO_LARGE`, `LIMIT_EXCEEDED`, `UNAVAILABLE`
   */
  async publish(
    subject: Subject,
    text: TopicText,
    tag: string,
    { messages, dedupe, traceparent = "" }: Publication,
    placed: (answer: PublishAnswer) => void,
  ): Promise<void> {
    const { maxHistory, maxTopics, maxMessageBytes, autoCreateTopics } = this.#limits;
    let room = 0;
    for (const message of messages) room = Math.max(room, eventRoom(text, message));
    // The exact sizes are needed only if the upper bound is too large.
    const fixed = room > maxMessageBytes ? fixedBytes(text, traceparent) : 0;
    const waiting = this.#whenOpen();
    if (waiting !== undefined)
      await waiting.catch((cause: unknown) => {
        throw meaningOf(cause);
      });
    const options = [
      tag,
      this.#kept,
      maxHistory,
      dedupe ? 1 : 0,
      traceparent,
      fixed === 0 ? "" : maxMessageBytes - fixed,
      autoCreateTopics ? maxTopics : "",
      this.#fresh,
    ];
    await this.#run("publish", subject, [options.join(SEPARATOR), ...messages.map(entryOf)]).then(
      (answer) => {
        const [epoch, first, seq, ms, count, duplicate, born] = published.parse(answer);
        this.#used(epoch);
        placed({ epoch, first, seq, ms, count, duplicate: duplicate === 1, born });
      },
      (cause: unknown) => {
        throw tooLarge(meaningOf(cause, this.#about(subject)), fixed, maxMessageBytes, subject.name);
      },
    );
  }

  /** @throws {ProtocolError} `TOPIC_NOT_FOUND`, `TOPIC_EXISTS`, `LIMIT_EXCEEDED`, `UNAVAILABLE` */
  async open(subject: Subject, mode: OpenMode): Promise<Opened> {
    const { known } = subject;
    // Only a topic that is put back is the one that was there before.
    const [born, epoch] = [mode === "restore" ? (known?.born ?? "") : this.#makeEpoch(), this.#makeEpoch()];
    const args = [mode, String(this.#limits.maxTopics), epoch, born, known?.text.epoch ?? ""];
    const answer = opened.parse(await this.#ask("open", subject, args));
    this.#used(answer.epoch);
    return answer;
  }

  /** @throws {ProtocolError} `TOPIC_NOT_FOUND`, `UNAVAILABLE` */
  async read(subject: Subject, { from, to, last, bytes }: ReadRange): Promise<Page> {
    const args = [String(from), String(to ?? ""), String(last ?? ""), String(bytes)];
    const page = read.parse(await this.#ask("read", subject, args));
    this.#used(page.epoch);
    return page;
  }

  /**
   * Takes a `client_id` for a node, and has the node that had it end its subscription.
   *
   * @throws {ProtocolError} `TOPIC_NOT_FOUND`, `FORBIDDEN`, `UNAVAILABLE`
   */
  async claim(
    subject: Subject,
    { clientId, owner = "" }: Claim,
    { node, number, isAgain = false }: By,
  ): Promise<Claimed> {
    const args = [clientId, node, owner, String(number), isAgain ? "1" : "", this.#keys.node(""), this.#keys.inbox("")];
    const answer = await this.#ask("claim", subject, args).catch((cause: unknown) => {
      if (!isRefusal(cause, "OWNED")) throw cause;
      throw new ProtocolError("FORBIDDEN", `client_id '${clientId}' belongs to another credential`, {
        topic: subject.name,
      });
    });
    const found = claimed.parse(answer);
    this.#used(found.epoch);
    return found;
  }

  /** Frees client ids. @param held each id, and what the value of its claim begins with */
  async release(subject: Subject, held: readonly (readonly [id: string, value: string])[]): Promise<void> {
    await this.#ask("release", subject, held.flat());
  }

  /** @throws {ProtocolError} `TOPIC_NOT_FOUND`, `UNAVAILABLE` */
  async delete(subject: Subject): Promise<void> {
    await this.#ask("delete", subject, [this.#keys.control]);
  }

  /** Where topics stand, some at a time, in the order of their names. */
  async list(names: readonly string[]): Promise<Listed[]> {
    const found: Listed[] = [];
    for (let at = 0; at < names.length; at += LIST_CHUNK) {
      const keys = names.slice(at, at + LIST_CHUNK).flatMap((name) => {
        const { head, members } = this.#keys.topic(name);
        return [head, members];
      });
      found.push(...listed.parse(await this.run("list", keys, [])));
    }
    return found;
  }

  async send(command: string, args: readonly string[]): Promise<unknown> {
    return this.#guarded(() => this.#asking.send(command, args));
  }

  async run(script: ScriptName, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#guarded(() => this.#asking.run(script, keys, args));
  }

  async #ask(script: ScriptName, subject: Subject, args: readonly string[]): Promise<unknown> {
    try {
      await this.#whenOpen();
      return await this.#run(script, subject, args);
    } catch (cause) {
      throw meaningOf(cause, this.#about(subject));
    }
  }

  #run(script: ScriptName, { name, keys, known }: Subject, args: readonly string[]): Promise<unknown> {
    const { head, stream, ids, members, channel } = keys;
    const { topics, state } = this.#keys;
    const common = [this.server, this.#fresh, known?.text.epoch, known?.newest ?? 0, channel, name, this.life];
    const all = [common.join(SEPARATOR), ...args];
    return this.#asking.run(script, [head, stream, ids, members, topics, state], all).catch((cause: unknown) => {
      // It may have been used all the same.
      this.#fresh = this.#makeEpoch();
      throw cause;
    });
  }

  async #guarded(ask: () => Promise<unknown>): Promise<unknown> {
    try {
      await this.#whenOpen();
      return await ask();
    } catch (cause) {
      throw meaningOf(cause);
    }
  }

  #about({ name: topic }: Subject) {
    return { topic, maxTopics: this.#limits.maxTopics, isUnsettled: this.isUnsettled };
  }

  /** Makes another epoch once this one was used: no topic gets the same twice. */
  #used(epoch: string): void {
    if (epoch === this.#fresh) this.#fresh = this.#makeEpoch();
  }
}
