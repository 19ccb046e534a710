import type { History, Place, Published, TopicText } from "../protocol/encode.ts";
import type { HistoryRange, Placed, Publication } from "../protocol/messages.ts";
import type { NodeInfo, SubscriberPage, TopicDetail } from "../protocol/nodes.ts";

/** An answer that comes at once or later. */
export type Answered<T> = T | Promise<T>;

/** A topic of the engine. `seq` is its newest message, 0 before the first. */
export type TopicHead = { readonly name: string; readonly epoch: string; readonly seq: number };

/** The same, with its subscribers on all nodes together. */
export type TopicSummary = TopicHead & { readonly subscribers: number };

/** All topics, and their subscribers, on all nodes together. */
export type Totals = { readonly topics: number; readonly subscribers: number };

/** The `client_id` that a client subscribes under, and whose it is, where that is known. */
export type Claim = { readonly clientId: string; readonly owner: string | undefined };

/**
 * What an engine calls to have a client subscribe. Both get the topic's epoch of before; it is undefined if the topic was
 * created just now.
 */
export type Subscribing<T> = {
  /** Throws if the broker would refuse. An engine elsewhere asks before it takes the `client_id` from another node. */
  check(before: string | undefined): void;
  /** Subscribes. It may find that the client is gone, and do nothing. */
  begin(before: string | undefined): T;
};

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
  /** Why the engine cannot be reached; undefined if it can. */
  readonly away: string | undefined;
  /**
   * Refuses every request that changes or reads one topic from now on, with `SHUTTING_DOWN`. Answers once the broker has
   * what was acknowledged here.
   */
  close(): Answered<void>;
  /** Gives up what the engine holds. To be called once, when every subscription has ended. */
  release(): Answered<void>;
  /** @throws `TOPIC_EXISTS`, `LIMIT_EXCEEDED` */
  createTopic(name: string): Answered<void>;
  /** @throws `TOPIC_NOT_FOUND` */
  deleteTopic(name: string): Answered<void>;
  listTopics(): Answered<readonly TopicSummary[]>;
  totals(): Answered<Totals>;
  /** All nodes that are there, this one among them. */
  nodes(): Answered<readonly NodeInfo[]>;
  /** @throws `TOPIC_NOT_FOUND` */
  topicDetail(name: string, page: SubscriberPage): Answered<TopicDetail>;
  /**
   * Makes sure that the broker knows the topic.
   *
   * @throws `TOPIC_NOT_FOUND`
   */
  findTopic(name: string): Answered<void>;
  /**
   * Has a client subscribe, once the broker has everything of the topic that was acknowledged by now, and no other node
   * has a subscriber of that `client_id`. Creates the topic if topics are created by their first use.
   *
   * @throws `TOPIC_NOT_FOUND`; `LIMIT_EXCEEDED` if it would create the topic; `FORBIDDEN` if the `client_id` is somebody else's
   */
  subscribe<T>(name: string, claim: Claim, subscribing: Subscribing<T>): Answered<T>;
  /** A subscription has ended here, other than by a takeover or with its topic. */
  left(name: string, clientId: string): void;
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
  /** Adds a topic that was created, or has become known here. Its epoch begins after `seq`. */
  topicCreated(text: TopicText, seq: number): void;
  topicDeleted(name: string): void;
  /**
   * The topic begins a new epoch, after `seq`. What a subscriber has not been sent of the old one is sent now if its peer
   * takes it, or told as a gap. Then it is told of the new one.
   */
  epochChanged(text: TopicText, seq: number): void;
  /** Another node has a subscriber of that id now: the one here ends. */
  takenOver(name: string, clientId: string): void;
  /**
   * Makes these messages the newest of the topic. The broker ignores those that it already has. If `first` jumps ahead,
   * it tells the subscribers of a gap, even if there are no messages.
   */
  append(name: string, placed: Placed): void;
  /** The place of a message that was appended as findable, if history still has it. Ids are the same in any case. */
  find(name: string, id: string): Place | undefined;
  /** The part of the topic's history that this process keeps. */
  history(name: string, range: HistoryRange): History;
  /** How many subscribers a topic has here; 0 if the broker does not know it. */
  subscribersOf(name: string): number;
  isSubscribed(name: string, clientId: string): boolean;
  /** What this process knows of a topic and its subscribers. */
  topicDetail(name: string, page: SubscriberPage): TopicDetail;
  /** What this process has. */
  readonly stats: { readonly topics: number; readonly subscriptions: number };
}
