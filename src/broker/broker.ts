import { CLOSE, limitExceeded, Refusal, topicNotFound } from "../protocol/codes.ts";
import { encodeEvent, type Published, type Subscribed } from "../protocol/encode.ts";
import type { Message } from "../protocol/messages.ts";
import { outcomeOf, startOf, type Asked } from "./asked.ts";
import { Connection } from "./connection.ts";
import { Editions } from "./editions.ts";
import { Gathering } from "./gathering.ts";
import { HistoryMemory } from "./history-memory.ts";
import type { BrokerMetrics, Outlet } from "./ports.ts";
import { Subscription, type Holder, type Queue, type Shared } from "./subscription.ts";
import { Topic } from "./topic.ts";

export type BrokerLimits = {
  /** Messages a topic keeps for replay. */
  maxHistory: number;
  /** Messages that may wait for one subscriber. */
  maxSubscriberQueue: number;
  maxTopics: number;
  maxSubscriptionsPerConnection: number;
  /** Bytes of history, all topics together. */
  historyMemoryBytes: number;
  /** Whether the first use of a topic creates it. */
  autoCreateTopics: boolean;
};

export type BrokerPorts = {
  /** Asks for a `flush()` soon, once for any number of calls before it. */
  wake(): void;
  /** A short random string, for the epoch of a topic. */
  makeEpoch(): string;
  metrics: BrokerMetrics;
};

/**
 * Topics and their subscribers. It never waits: a publish is appended once, and handed to the subscribers' outlets at
 * the next `flush()`, as far as each takes it.
 *
 * Knows no socket, timer or clock. A request that cannot be granted throws a `Refusal` and has changed
 * nothing, save that the topic it names may have been created by it where `autoCreateTopics` is on.
 *
 * | publish()     | constant, whatever the number of subscribers |
 * | flush()       | linear in the subscribers of the topics published to |
 * | subscribe()   | constant |
 * | deleteTopic() | linear in the topic's subscribers |
 */
export class Broker {
  readonly #limits: BrokerLimits;
  readonly #ports: BrokerPorts;
  readonly #topics = new Map<string, Topic>();
  readonly #memory: HistoryMemory;
  readonly #shared: Shared;
  readonly #gathering = new Gathering();
  readonly #editions: Editions;
  #ready: Holder[] = [];
  #subscriptions = 0;

  constructor(limits: BrokerLimits, ports: BrokerPorts) {
    this.#limits = limits;
    this.#ports = ports;
    this.#editions = new Editions(ports.metrics);
    this.#memory = new HistoryMemory(limits.historyMemoryBytes);
    this.#shared = { memory: this.#memory, metrics: ports.metrics };
  }

  get topics(): ReadonlyMap<string, Topic> {
    return this.#topics;
  }

  /** Subscriptions on all topics together. */
  get subscriptions(): number {
    return this.#subscriptions;
  }

  /** What history takes, in bytes of memory. */
  get historyBytes(): number {
    return this.#memory.used;
  }

  /** @throws {Refusal} where there is no such topic */
  topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw topicNotFound(name);
    return topic;
  }

  createTopic(name: string): Topic {
    if (this.#topics.has(name)) {
      throw new Refusal("BAD_REQUEST", `Topic '${name}' exists already`, { topic: name, status: 409 });
    }
    const { maxTopics } = this.#limits;
    if (this.#topics.size >= maxTopics) throw limitExceeded("MAX_TOPICS", maxTopics, { topic: name });
    const topic = new Topic(name, this.#ports.makeEpoch(), this.#limits, this.#editions);
    this.#topics.set(name, topic);
    this.#memory.add(topic.log);
    return topic;
  }

  /** Ends every subscription to the topic, and closes the connections that this leaves without any. */
  deleteTopic(name: string): void {
    const topic = this.topic(name);
    this.#topics.delete(name);
    for (const subscription of [...topic.subscriptions.values()]) {
      const { holder } = subscription;
      this.#end(topic, subscription);
      holder.outlet.notice({ type: "info", msg: "topic_deleted", topic: name });
      if (holder.subscriptions.length === 0) holder.outlet.close(CLOSE.topicDeleted);
    }
    this.#memory.remove(topic.log);
  }

  connect(outlet: Outlet): Connection {
    return new Connection(outlet, this.#disconnect);
  }

  /** Ends what the connection was subscribed to; its client is gone and is told nothing. */
  disconnect(connection: Connection): void {
    for (const subscription of connection.subscriptions) {
      this.#topics.get(subscription.feed.name)?.remove(subscription);
      this.#subscriptions--;
    }
    connection.clear();
  }

  /** Ends what the connection is subscribed to as if each topic were deleted. */
  retire(connection: Connection): void {
    for (const subscription of [...connection.subscriptions]) {
      const { name } = subscription.feed;
      this.#end(this.topic(name), subscription);
      connection.outlet.notice({ type: "info", msg: "topic_deleted", topic: name });
    }
  }

  /**
   * Subscribes the connection as `clientId`, taking the id over from another that holds it.
   *
   * The events follow with the next flush, so that whoever calls can acknowledge first: the replay that was asked for,
   * then what is published from now on.
   */
  subscribe(connection: Connection, name: string, clientId: string, asked: Asked = {}): Subscribed {
    const topic = this.#topicInUse(name);
    const start = startOf(topic, asked);
    const queue = this.#queueOf(topic, asked);
    const current = topic.subscriptions.get(clientId);
    const own = current?.holder === connection ? current : undefined;
    const subscription = own ?? this.#begin(topic, clientId, connection, queue, current);
    if (asked.queue !== undefined || asked.overflow !== undefined) subscription.queue = queue;
    const replay = start === undefined ? 0 : subscription.replay(start);
    if (subscription.pending && this.#enqueue(subscription)) this.#ports.wake();
    // What still waits for one who asks again is not missed, even where history has let go of it.
    const outcome = outcomeOf(topic, asked.since, Math.min(start ?? 0, subscription.position));
    return { topic: name, epoch: topic.epoch, seq: topic.log.newest, replay, ...outcome };
  }

  /** Ends the subscription, if the connection holds one under that id. */
  unsubscribe(connection: Connection, name: string, clientId: string): Topic {
    const topic = this.topic(name);
    const subscription = topic.subscriptions.get(clientId);
    if (subscription?.holder === connection) this.#end(topic, subscription);
    return topic;
  }

  /**
   * Appends messages to the topic's log, for all who are subscribed at this moment. All or none.
   *
   * @param ts when they were published, as their events shall say
   * @param accepted told what is about to be published before any subscriber is sent a message of it
   */
  publish(
    name: string,
    messages: readonly Message[],
    ts: string,
    accepted?: (published: Published) => void,
  ): Published {
    const topic = this.#topicInUse(name);
    const { log } = topic;
    const published = { topic, first: log.newest + 1, seq: log.newest + messages.length };
    accepted?.(published);
    for (const message of messages) {
      // No event may fall out of the log before it was offered to those whose sockets would have taken it.
      const mustGo = log.newest - topic.flushed >= topic.queueLimit || this.#memory.over;
      if (mustGo || topic.full) this.flush();
      const text = encodeEvent(topic.text, log.newest + 1, message, ts);
      this.#memory.append(log, text);
      topic.issue(text);
      this.#gathering.add(topic.subscriptions.size);
    }
    this.#ports.metrics.published(messages.length);
    this.#ports.wake();
    return published;
  }

  /** Whether so much was published since the last flush that the next had better be now. */
  get full(): boolean {
    return this.#gathering.full;
  }

  /** To be called at the end of a turn of the event loop. Returns whether the flush gains by waiting for another. */
  endTurn(): boolean {
    return this.#gathering.endTurn();
  }

  /** Hands out everything that was published or asked for since the last flush, as far as the outlets take it. */
  flush(): void {
    this.#gathering.end();
    try {
      this.#editions.handOut(this.#seeTo);
    } catch (fault) {
      // What it kept from its subscribers is left to the next flush.
      this.#ports.wake();
      throw fault;
    }
    const ready = this.#ready;
    this.#ready = [];
    for (const holder of ready) holder.fill();
    if (this.#memory.over) this.#memory.trim();
  }

  /** Ends a subscription that is too slow for what it asked for: it is told what it was not sent. */
  readonly #disconnect = (subscription: Subscription): void => {
    subscription.abandon();
    this.#end(this.topic(subscription.feed.name), subscription);
    subscription.outlet.close(CLOSE.slowConsumer);
  };

  readonly #seeTo = (stragglers: Iterable<Subscription>): void => {
    for (const straggler of stragglers) {
      if (straggler.outlet.blocked && straggler.tooSlow) this.#disconnect(straggler);
      else if (straggler.pending) this.#enqueue(straggler);
    }
  };

  /** Puts it in line for the next flush; a blocked one waits for its drain instead. */
  #enqueue(subscription: Subscription): boolean {
    const { holder, outlet } = subscription;
    if (outlet.blocked) return false;
    if (holder.enqueue(subscription)) this.#ready.push(holder);
    return true;
  }

  #begin(
    topic: Topic,
    clientId: string,
    connection: Connection,
    queue: Queue,
    current: Subscription | undefined,
  ): Subscription {
    const { maxSubscriptionsPerConnection: most } = this.#limits;
    if (connection.subscriptions.length >= most) {
      throw limitExceeded("MAX_SUBSCRIPTIONS_PER_CONNECTION", most, { topic: topic.name });
    }
    if (current !== undefined) {
      this.#end(topic, current);
      current.outlet.notice({ type: "info", msg: "subscription_replaced", topic: topic.name });
    }
    const subscription = new Subscription(topic, clientId, connection, queue, this.#shared);
    topic.add(subscription);
    connection.add(subscription);
    this.#subscriptions++;
    return subscription;
  }

  #end(topic: Topic, subscription: Subscription): void {
    subscription.holder.finish(subscription);
    topic.remove(subscription);
    this.#subscriptions--;
  }

  #queueOf(topic: Topic, { queue = topic.queueLimit, overflow = "drop_oldest" }: Asked): Queue {
    if (queue <= topic.queueLimit) return { limit: queue, overflow };
    const message = `'queue' is ${queue}, and MAX_SUBSCRIBER_QUEUE is ${topic.queueLimit}`;
    throw new Refusal("LIMIT_EXCEEDED", message, { topic: topic.name });
  }

  #topicInUse(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic !== undefined) return topic;
    if (!this.#limits.autoCreateTopics) throw topicNotFound(name);
    return this.createTopic(name);
  }
}
