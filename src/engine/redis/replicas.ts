import { CatchUp, REACH_MS, type CatchUpPorts, type Receiving } from "./catch-up.ts";
import type { Subject } from "./commands.ts";
import { KnownTopic } from "./known-topic.ts";
import type { Keys } from "./keys.ts";
import type { RedisLink } from "./link.ts";
import { meaningOf } from "./meaning.ts";
import { Pace } from "./pace.ts";
import { heardOf, type Heard } from "./wire.ts";

/** How long it may take at the end until what was acknowledged here has come back, in milliseconds. */
const SETTLE_MS = 1000;

/** How much may wait in a topic's inbox, in characters. Past it the inbox is emptied, and the stream is read instead. */
const INBOX_CHARACTERS = 8 * 1_048_576;

export type ReplicasPorts = CatchUpPorts & {
  link: Pick<RedisLink, "follow" | "unfollow">;
  keys: Keys;
  /** A time as the protocol writes it. */
  isoOf(ms: number): string;
  /** Whether a publish of this node with that tag waits for its answer. */
  isUnderWay(tag: string): boolean;
  /** Runs work in the next turn of the event loop. */
  soon(work: () => void): void;
  failed(cause: unknown): void;
};

/**
 * The topics that this node has used, and for those that it follows, what the broker has of them.
 *
 * A topic is followed by its channel. What comes next in number is handed to the broker, what is old is ignored, and
 * before a jump the stream is read. The stream is also read where a channel may have lost something.
 */
export class Replicas implements Iterable<KnownTopic>, Receiving {
  readonly #ports: ReplicasPorts;
  readonly #topics = new Map<string, KnownTopic>();
  readonly #byChannel = new Map<string, KnownTopic>();
  readonly #pace: Pace;
  readonly #catchUp: CatchUp;

  constructor(ports: ReplicasPorts) {
    this.#ports = ports;
    this.#pace = new Pace(ports.soon, (topic) => this.handOver(topic));
    this.#catchUp = new CatchUp(this, this.#pace, ports);
  }

  [Symbol.iterator](): IterableIterator<KnownTopic> {
    return this.#topics.values();
  }

  get(name: string): KnownTopic | undefined {
    return this.#topics.get(name);
  }

  /** What a command is about. */
  subject(name: string): Subject {
    const known = this.#topics.get(name);
    return { name, keys: known?.keys ?? this.#ports.keys.topic(name), known };
  }

  /** Takes note of a topic as Redis has it. */
  meet(name: string, { born, epoch, base }: { born: string; epoch: string; base?: number }): KnownTopic {
    const known = this.#topics.get(name);
    if (known?.isSame(born) === true) {
      if (known.text.epoch === epoch) return known;
      if (known.head === undefined) known.renew(epoch, base ?? 0);
      else if (known.following !== undefined) this.refresh(known);
      return known;
    }
    if (known !== undefined) this.forget(known);
    const topic = new KnownTopic(name, this.#ports.keys.topic(name), born, epoch);
    this.#topics.set(name, topic);
    this.#byChannel.set(topic.keys.channel, topic);
    return topic;
  }

  /** Makes sure that the broker knows the topic. */
  enter(topic: KnownTopic, base: number): void {
    if (topic.head !== undefined) return;
    topic.head = base;
    this.#ports.broker.topicCreated(topic.text, base);
  }

  /** Follows a topic from now on. Resolves once the broker has what came before. */
  follow(topic: KnownTopic): Promise<void> {
    topic.idleLooks = 0;
    topic.following ??= this.#begin(topic);
    return topic.following;
  }

  /** Follows it no more, until somebody needs it again. */
  unfollow(topic: KnownTopic): void {
    topic.following = undefined;
    this.empty(topic, false);
    this.#ports.link.unfollow(topic.keys.channel);
  }

  /** The topic is gone, or another has its name. */
  forget(topic: KnownTopic): void {
    if (topic.gone) return;
    topic.gone = true;
    this.#topics.delete(topic.name);
    this.#byChannel.delete(topic.keys.channel);
    if (topic.following !== undefined) this.unfollow(topic);
    if (topic.head !== undefined) this.#ports.broker.topicDeleted(topic.name);
  }

  /** It was deleted: forgets it once what was heard before is handed over. */
  deleted(topic: KnownTopic): void {
    topic.deleted = true;
    this.handOver(topic);
  }

  /** Catches up with all topics that are followed: their channels may have lost something. */
  refreshAll(): void {
    for (const topic of this.#topics.values()) if (topic.following !== undefined) this.refresh(topic);
  }

  /** Reads what the broker does not have yet, in the background. */
  refresh(topic: KnownTopic): void {
    topic.repairs = true;
    this.catchUp(topic).catch((cause: unknown) => this.#ports.failed(cause));
  }

  /** Reads what the broker does not have yet of a topic. Resolves when it has all that there is by now. */
  catchUp(topic: KnownTopic): Promise<void> {
    topic.again = true;
    topic.catchingUp ??= this.#catchUp.run(topic).finally(() => this.handOver(topic));
    return topic.catchingUp;
  }

  /** Resolves once the broker has what was published up to `seq`: its channel brings it, or else the stream is read. */
  async reach(topic: KnownTopic, epoch: string, seq: number): Promise<void> {
    const isThere = () => topic.gone || (topic.text.epoch === epoch && (topic.head ?? 0) >= seq);
    if (isThere()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const one = { seq, resolve };
    topic.waiting.add(one);
    const stop = this.#ports.after(REACH_MS, resolve);
    await promise;
    stop();
    topic.waiting.delete(one);
    if (!isThere()) await this.catchUp(topic);
  }

  /** Resolves once the broker has all that was acknowledged here, or does not get it in time. */
  async settled(): Promise<void> {
    const late = [...this].filter(({ following, head, acked }) => following !== undefined && acked > (head ?? 0));
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.#ports.after(SETTLE_MS, resolve);
    const all = Promise.all(late.map((topic) => this.reach(topic, topic.text.epoch, topic.acked)));
    await Promise.race([promise, all.catch((cause: unknown) => this.#ports.failed(cause))]);
    stop();
  }

  heard(channel: string, text: string): void {
    const topic = this.#byChannel.get(channel);
    if (topic === undefined) return;
    const heard = heardOf(text);
    if (heard === undefined) return this.refresh(topic);
    topic.inbox.push(heard);
    topic.inboxLength += text.length;
    if (topic.inboxLength > INBOX_CHARACTERS) this.empty(topic, true);
    this.handOver(topic);
  }

  /** Hands over what was heard, as far as it may go now. */
  handOver(topic: KnownTopic): void {
    if (topic.gone || topic.catchingUp !== undefined) return;
    if (topic.overflowed) {
      topic.overflowed = false;
      return this.refresh(topic);
    }
    let left = this.#takeInbox(topic);
    for (; left === "jumps"; left = this.#takeInbox(topic)) {
      if (topic.doubted === 0) {
        topic.doubted = topic.inbox.length;
        return this.refresh(topic);
      }
      // The stream was read since it was heard, and still it does not come next: it is of an epoch that is over.
      topic.inbox.shift();
      topic.doubted--;
    }
    if (left === "nothing" && topic.deleted) this.forget(topic);
  }

  /** Hands over what comes next in the inbox, and drops what is old. Returns what kind of message is left. */
  #takeInbox(topic: KnownTopic): "nothing" | "waits" | "later" | "jumps" {
    for (let heard = topic.inbox[0]; heard !== undefined; heard = topic.inbox[0]) {
      // Whoever published it gets the ack first.
      if (this.#ports.isUnderWay(heard.tag)) return "waits";
      if (topic.head === undefined || heard.epoch !== topic.text.epoch || heard.first > topic.head + 1) return "jumps";
      if (!this.#pace.mayGoOn(topic)) return "later";
      topic.inbox.shift();
      if (topic.doubted > 0) topic.doubted--;
      this.#pace.note(topic, heard.messages.length);
      this.append(topic, heard);
    }
    topic.inboxLength = 0;
    return "nothing";
  }

  async drainInbox(topic: KnownTopic): Promise<void> {
    while (!topic.gone && this.#takeInbox(topic) === "later") await this.#pace.nextTurn();
  }

  /** Hands messages to the broker, as far as it does not have them. */
  append(topic: KnownTopic, { first, messages, ms, traceparent }: Omit<Heard, "tag" | "epoch">): void {
    const last = first + messages.length - 1;
    if (topic.head === undefined || last <= topic.head) return;
    topic.head = last;
    for (const { seq, resolve } of topic.waiting) if (seq <= last) resolve();
    const ts = this.#ports.isoOf(ms);
    this.#ports.broker.append(topic.name, { first, ts, messages, findable: false, traceparent });
  }

  async #begin(topic: KnownTopic): Promise<void> {
    try {
      await this.#ports.link.follow(topic.keys.channel);
      await this.catchUp(topic);
    } catch (cause) {
      if (!topic.gone) this.unfollow(topic);
      throw meaningOf(cause);
    }
  }

  /** Empties an inbox. @param overflowed whether the stream is to be read instead */
  empty(topic: KnownTopic, overflowed: boolean): void {
    topic.inbox.length = 0;
    topic.inboxLength = 0;
    topic.doubted = 0;
    topic.overflowed = overflowed;
  }
}
