import { limitExceeded, ProtocolError, shuttingDown, topicNotFound } from "../protocol/codes.ts";
import {
  encodeEvent,
  eventRoom,
  topicText,
  type History,
  type Place,
  type Published,
  type TopicText,
} from "../protocol/encode.ts";
import type { HistoryRange, Message, Placed, Publication } from "../protocol/messages.ts";
import type { NodeInfo, SubscriberPage, TopicDetail } from "../protocol/nodes.ts";
import type { Claim, Engine, LocalBroker, Subscribing, TopicSummary, Totals } from "./engine.ts";

export type MemoryEngineLimits = {
  maxTopics: number;
  /** The most bytes of one event's frame. */
  maxMessageBytes: number;
  /** Whether the first use of a topic creates it. */
  autoCreateTopics: boolean;
};

export type MemoryEnginePorts = {
  broker: LocalBroker;
  /** The time, ISO 8601 UTC. */
  clock: { iso(): string };
  /** Makes a short random string for the epoch of a topic, never the same one twice. */
  makeEpoch(): string;
  /** What this process shows of itself. */
  node(): NodeInfo;
  /** So many messages have got their place. */
  published(messages: number): void;
};

type Topic = { readonly text: TopicText; seq: number };

/** The engine of a single node. An increment gives a message its place, and every answer comes at once. */
export class MemoryEngine implements Engine {
  readonly #limits: MemoryEngineLimits;
  readonly #ports: MemoryEnginePorts;
  readonly #topics = new Map<string, Topic>();
  readonly away = undefined;
  #closed = false;

  constructor(limits: MemoryEngineLimits, ports: MemoryEnginePorts) {
    this.#limits = limits;
    this.#ports = ports;
  }

  close(): void {
    this.#closed = true;
  }

  release(): void {}

  createTopic(name: string): void {
    this.#create(name);
  }

  deleteTopic(name: string): void {
    this.findTopic(name);
    this.#topics.delete(name);
    this.#ports.broker.topicDeleted(name);
  }

  listTopics(): readonly TopicSummary[] {
    const { broker } = this.#ports;
    return [...this.#topics.values()].map(({ text: { topic, epoch }, seq }) => {
      return { name: topic, epoch, seq, subscribers: broker.subscribersOf(topic) };
    });
  }

  totals(): Totals {
    const { topics, subscriptions } = this.#ports.broker.stats;
    return { topics, subscribers: subscriptions };
  }

  nodes(): readonly NodeInfo[] {
    return [this.#ports.node()];
  }

  topicDetail(name: string, page: SubscriberPage): TopicDetail {
    this.findTopic(name);
    return this.#ports.broker.topicDetail(name, page);
  }

  findTopic(name: string): void {
    this.#checkOpen();
    if (!this.#topics.has(name)) throw topicNotFound(name);
  }

  subscribe<T>(name: string, _claim: Claim, { begin }: Subscribing<T>): T {
    const before = this.#topics.get(name)?.text.epoch;
    this.#topicInUse(name);
    return begin(before);
  }

  left(): void {}

  publish(
    name: string,
    { messages: asked, dedupe, traceparent }: Publication,
    accepted: (published: Published) => void,
  ): void {
    const topic = this.#topicInUse(name);
    const { text } = topic;
    const { broker, clock } = this.#ports;
    const messages = dedupe ? this.#withoutKnown(name, asked) : asked;
    if (messages.length === 0) return accepted(this.#firstTime(topic, asked));
    const ts = clock.iso();
    const first = topic.seq + 1;
    checkSizes({ text, first, messages, ts, traceparent }, this.#limits.maxMessageBytes);
    const seq = topic.seq + messages.length;
    accepted({ text, first, seq, ts, count: messages.length, duplicate: false });
    topic.seq = seq;
    this.#ports.published(messages.length);
    broker.append(name, { first, ts, messages, findable: dedupe, traceparent });
  }

  history(name: string, range: HistoryRange): History {
    this.findTopic(name);
    return this.#ports.broker.history(name, range);
  }

  /** Leaves out the messages that history has, and those that come twice. */
  #withoutKnown(name: string, messages: readonly Message[]): Message[] {
    const fresh = new Map<string, Message>();
    for (const message of messages) {
      const id = message.id.toLowerCase();
      if (!fresh.has(id) && this.#ports.broker.find(name, id) === undefined) fresh.set(id, message);
    }
    return [...fresh.values()];
  }

  /** The place of messages that history has, all of them. */
  #firstTime({ text }: Topic, messages: readonly Message[]): Published {
    const places = new Map<number, Place>();
    for (const { id } of messages) {
      const place = this.#ports.broker.find(text.topic, id);
      if (place !== undefined) places.set(place.seq, place);
    }
    const inOrder = [...places.values()].sort((a, b) => a.seq - b.seq);
    const [first, last] = [inOrder[0], inOrder.at(-1)];
    if (first === undefined || last === undefined) throw new Error("History lost a message while it was looked for");
    return { text, first: first.seq, ...last, count: places.size, duplicate: true };
  }

  #topicInUse(name: string): Topic {
    this.#checkOpen();
    const topic = this.#topics.get(name);
    if (topic !== undefined) return topic;
    if (!this.#limits.autoCreateTopics) throw topicNotFound(name);
    return this.#create(name);
  }

  #create(name: string): Topic {
    this.#checkOpen();
    if (this.#topics.has(name)) {
      throw new ProtocolError("TOPIC_EXISTS", `Topic '${name}' exists already`, { topic: name });
    }
    const { maxTopics } = this.#limits;
    if (this.#topics.size >= maxTopics) throw limitExceeded("MAX_TOPICS", maxTopics, { topic: name });
    const topic = { text: topicText(name, this.#ports.makeEpoch()), seq: 0 };
    this.#topics.set(name, topic);
    this.#ports.broker.topicCreated(topic.text, 0);
    return topic;
  }

  #checkOpen(): void {
    if (this.#closed) throw shuttingDown();
  }
}

type Sized = Omit<Placed, "findable"> & { text: TopicText };

/**
 * Refuses the messages if one makes an event larger than `most` bytes. So no subscriber gets a larger frame than a
 * publisher may send.
 */
function checkSizes({ text, first, messages, ts, traceparent }: Sized, most: number): void {
  let room = 0;
  for (const message of messages) room = Math.max(room, eventRoom(text, message));
  // The exact sizes are needed only if the upper bound is too large.
  if (room <= most) return;
  for (const [index, message] of messages.entries()) {
    const size = Buffer.byteLength(encodeEvent(text, first + index, message, ts, traceparent));
    if (size <= most) continue;
    const name = messages.length === 1 ? "message" : `messages[${index}]`;
    const problem = `${name} makes an event of ${size} bytes, and MAX_MESSAGE_BYTES is ${most}`;
    throw new ProtocolError("TOO_LARGE", problem, { topic: text.topic, limit: "MAX_MESSAGE_BYTES" });
  }
}
