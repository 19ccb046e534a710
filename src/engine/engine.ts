import type { History, Place, Published, TopicText } from "../protocol/encode.ts";
import type { HistoryRange, Placed, Publication } from "../protocol/messages.ts";

/** An answer that comes at once or later. */
export type Answered<T> = T | Promise<T>;

/** A topic of the engine. `seq` is its newest message, 0 before the first. */
export type TopicHead = { readonly name: string; readonly epoch: string; readonly seq: number };

/**
 * Gives messages their order. Only an engine gives a message its `seq` and a topic its `epoch`. It hands placed
 * messages to the {@link LocalBroker}, which sends them.
 *
 * An engine in this process answers with plain values, and nothing is awaited. One elsewhere returns promises. Both:
 *
 * - MUST settle publishes in the order of the calls, whatever their topics;
 * - MUST call `accepted` once a publish has its place, before they hand the first of its events to the broker;
 * - MUST throw, or reject with, a `ProtocolError` if they cannot grant a request. The request then has changed nothing,
 *   except that its first use of a topic may have created it. Any request may fail with `SHUTTING_DOWN` or, on an
 *   engine elsewhere, `UNAVAILABLE`;
 * - MUST NOT settle a request twice, nor leave one unsettled for ever.
 */
export interface Engine {
  /** Refuses every request but `listTopics` from now on, with `SHUTTING_DOWN`. */
  close(): void;
  /** @throws `TOPIC_EXISTS`, `LIMIT_EXCEEDED` */
  createTopic(name: string): Answered<void>;
  /** @throws `TOPIC_NOT_FOUND` */
  deleteTopic(name: string): Answered<void>;
  listTopics(): Answered<readonly TopicHead[]>;
  /**
   * Makes sure that the broker knows the topic, before a client subscribes to it or reads it.
   *
   * @throws `TOPIC_NOT_FOUND`
   */
  findTopic(name: string): Answered<void>;
  /** Does what `findTopic` does, and creates the topic if topics are created by their first use. */
  openTopic(name: string): Answered<void>;
  /**
   * Publishes all messages or none, under consecutive numbers. With `dedupe` it leaves out those that history has
   * already, if they were published with `dedupe`, too. If that leaves none, nothing is published, and their place is
   * that of the first time.
   *
   * @param accepted receives their place
   * @throws `TOPIC_NOT_FOUND`, `TOO_LARGE`; `LIMIT_EXCEEDED` if it would create the topic
   */
  publish(name: string, publication: Publication, accepted: (published: Published) => void): Answered<void>;
  /** @throws `TOPIC_NOT_FOUND`, `EPOCH_OVER` */
  history(name: string, range: HistoryRange): Answered<History>;
}

/** The broker of this process, as an engine sees it. */
export interface LocalBroker {
  /** Adds a topic that was created, or has become known here. `seq` is its newest message, 0 if there is none. */
  topicCreated(text: TopicText, seq: number): void;
  topicDeleted(name: string): void;
  /**
   * Makes these messages the newest of the topic. The broker ignores those that it already has. If `first` jumps ahead,
   * it tells the subscribers of a gap.
   */
  append(name: string, placed: Placed): void;
  /** The place of a message that was appended as findable, if history still has it. Ids are the same in any case. */
  find(name: string, id: string): Place | undefined;
  /** The part of the topic's history that this process keeps. */
  history(name: string, range: HistoryRange): History;
}
