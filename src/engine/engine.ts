import type { History, Published, TopicText } from "../protocol/encode.ts";
import type { HistoryRange, Message, Placed } from "../protocol/messages.ts";

/** An answer that is there at once, or comes later. */
export type Answered<T> = T | Promise<T>;

/** A topic of the engine: its newest message is `seq`, 0 before the first. */
export type TopicHead = { readonly name: string; readonly epoch: string; readonly seq: number };

/**
 * What gives messages their order: the one place where a message gets its `seq` and a topic its `epoch`. What it has placed
 * it hands to the {@link LocalBroker}, which sends it.
 *
 * An engine in this process answers plainly; nothing is awaited then. One elsewhere answers with promises. Either way:
 *
 * - it MUST settle publishes in the order in which it was asked, whatever their topics;
 * - it MUST call `accepted` once a publish has its place, and before the first of its events is handed to the broker;
 * - it MUST throw, or reject with, a `ProtocolError` where a request cannot be granted, and then have changed nothing, save
 *   that the topic may have been created by it where topics are created by their first use. `SHUTTING_DOWN` and, of an engine
 *   elsewhere, `UNAVAILABLE` may come from any request;
 * - it MUST NOT settle a request twice, nor keep one for ever.
 */
export interface Engine {
  /** Refuses every request from now on, as `SHUTTING_DOWN`. */
  close(): void;
  /** @throws `TOPIC_EXISTS`, `LIMIT_EXCEEDED` */
  createTopic(name: string): Answered<void>;
  /** @throws `TOPIC_NOT_FOUND` */
  deleteTopic(name: string): Answered<void>;
  listTopics(): Answered<readonly TopicHead[]>;
  /**
   * Has the broker know the topic, as a subscriber or a reader needs it.
   *
   * @throws `TOPIC_NOT_FOUND`
   */
  findTopic(name: string): Answered<void>;
  /** The same, and creates the topic where topics are created by their first use. */
  openTopic(name: string): Answered<void>;
  /**
   * Publishes messages, all or none, one after the other.
   *
   * @param accepted told where they stand
   * @throws `TOPIC_NOT_FOUND`, `TOO_LARGE`
   */
  publish(name: string, messages: readonly Message[], accepted: (published: Published) => void): Answered<void>;
  /** @throws `TOPIC_NOT_FOUND`, `EPOCH_OVER` */
  history(name: string, range: HistoryRange): Answered<History>;
}

/** The broker of this process, as an engine sees it. */
export interface LocalBroker {
  /** A topic's life has begun, or has become known here: `seq` is its newest message. */
  topicCreated(text: TopicText, seq: number): void;
  topicDeleted(name: string): void;
  /**
   * These are now the newest of the topic. The broker ignores what it has already, and what it was not told of in between its
   * subscribers are told as a gap.
   */
  append(name: string, placed: Placed): void;
  /** What this process keeps of the topic's history. */
  history(name: string, range: HistoryRange): History;
}
