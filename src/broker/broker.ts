import { CLOSE, limitExceeded, ProtocolError, shuttingDown, topicNotFound } from "../protocol/codes.ts";
import { encodeEvent, type Published, type Subscribed } from "../protocol/encode.ts";
import type { Message } from "../protocol/messages.ts";
import { outcomeOf, startOf, type Asked } from "./asked.ts";
import { checkSizes, queueOf } from "./checks.ts";
import { Connection } from "./connection.ts";
import { Editions } from "./editions.ts";
import { Gathering } from "./gathering.ts";
import { HistoryMemory } from "./history-memory.ts";
import { Orphans } from "./orphans.ts";
import type { BrokerMetrics, BrokerObserver, Ended, Outlet } from "./ports.ts";
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
  /** Bytes of one event's frame. */
  maxMessageBytes: number;
  /** Whether the first use of a topic creates it. */
  autoCreateTopics: boolean;
};

export type BrokerPorts = {
  /** Asks for a `flush()` soon, once for any number of calls before it. */
  wake(): void;
  /** Runs `work` in the next turn of the event loop. */
  soon(work: () => void): void;
  /** A short random string, for the epoch of a topic. */
  makeEpoch(): string;
  metrics: BrokerMetrics;
  observer: BrokerObserver;
};

/**
 * Topics and their subscribers. It never waits: a publish is appended once, and handed to the subscribers' outlets at
 * the next `flush()`, as far as each takes it.
 *
 * Knows no socket, timer or clock. A request that cannot be granted throws a `ProtocolError` and has changed
 * nothing, save that the topic it names may have been created by it where `autoCreateTopics` is on.
 *
 * | publish()     | constant, whatever the number of subscribers |
 * | flush()       | linear in the subscribers of the topics published to |
 * | subscribe()   | constant |
 * | deleteTopic() | linear in the topic's subscribers, a step of a loop each |
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
  readonly #orphans: Orphans;
  #subscriptions = 0;
  #closed = false;

  constructor(limits: BrokerLimits, ports: BrokerPorts) {
    this.#limits = limits;
    this.#ports = ports;
    this.#editions = new Editions(ports.metrics);
    this.#memory = new HistoryMemory(limits.historyMemoryBytes);
    this.#shared = { memory: this.#memory, metrics: ports.metrics, observer: ports.observer };
    this.#orphans = new Orphans(
      (work) => ports.soon(work),
      (orphan) => this.#end(orphan, "topic deleted"),
    );
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

  /** @throws {ProtocolError} where there is no such topic */
  topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw topicNotFound(name);
    return topic;
  }

  /** Takes nothing more: every request is refused as `SHUTTING_DOWN`. What was published goes on to be sent. */
  close(): void {
    this.#closed = true;
  }

  createTopic(name: string): Topic {
    this.#checkOpen();
    if (this.#topics.has(name)) {
      throw new ProtocolError("TOPIC_EXISTS", `Topic '${name}' exists already`, { topic: name });
    }
    const { maxTopics } = this.#limits;
    if (this.#topics.size >= maxTopics) throw limitExceeded("MAX_TOPICS", maxTopics, { topic: name });
    const topic = new Topic(name, this.#ports.makeEpoch(), this.#limits, this.#editions);
    this.#topics.set(name, topic);
    this.#memory.add(topic.log);
    return topic;
  }

  /**
   * Forgets the topic, ends every subscription to it, and closes the connections that this leaves without any: of many
   * subscribers some at once, the others in later turns, so that nobody else feels it.
   */
  deleteTopic(name: string): void {
    this.#checkOpen();
    const topic = this.topic(name);
    this.#topics.delete(name);
    this.#memory.remove(topic.log);
    topic.deleted = true;
    this.#subscriptions -= topic.subscriptions.size;
    this.#orphans.add(topic.subscriptions.values());
  }

  connect(outlet: Outlet): Connection {
    return new Connection(outlet, this.#disconnect);
  }

  /** Ends what the connection was subscribed to; its client is gone and is told nothing. */
  disconnect(connection: Connection): void {
    for (const subscription of connection.subscriptions) this.#remove(subscription, "disconnected");
    connection.clear();
  }

  /**
   * Ends what the connection is subscribed to: each subscription is sent what the outlet takes, and told the rest as lost.
   *
   * @param reason why, where each topic is to be called deleted
   */
  retire(connection: Holder, reason?: "shutdown"): void {
    for (const subscription of [...connection.subscriptions]) {
      const topic = subscription.feed.name;
      this.#end(subscription, reason ?? "disconnected");
      if (reason !== undefined) connection.outlet.notice({ type: "info", msg: "topic_deleted", topic, reason });
    }
  }

  /**
   * Subscribes the connection as `clientId`, taking the id over from another that holds it.
   *
   * The events follow with the next flush, so that whoever calls can acknowledge first: the replay that was asked for,
   * then what is published from now on.
   */
  subscribe(connection: Connection, name: string, clientId: string, asked: Asked = {}): Subscribed {
    this.#orphans.endThoseOf(connection);
    const topic = this.#topicInUse(name);
    const start = startOf(topic, asked);
    const queue = queueOf(topic, asked);
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
    this.#checkOpen();
    const topic = this.topic(name);
    const subscription = topic.subscriptions.get(clientId);
    if (subscription?.holder === connection) this.#end(subscription, "unsubscribed");
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
    checkSizes(topic, messages, ts, this.#limits.maxMessageBytes);
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
    if (this.#memory.over) this.#ports.observer.trimmed(this.#memory.trim(), this.#limits.historyMemoryBytes);
  }

  /** Ends a subscription that is too slow for what it asked for: it is told what it was not sent. */
  readonly #disconnect = (subscription: Subscription): void => {
    const { holder } = subscription;
    subscription.abandon();
    this.#end(subscription, "too slow");
    this.retire(holder);
    holder.outlet.close(CLOSE.slowConsumer);
  };

  readonly #seeTo = (stragglers: Iterable<Subscription>): void => {
    for (const straggler of stragglers) {
      if (straggler.outlet.blocked) straggler.noteOverflow();
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
      this.#end(current, "taken over");
      current.outlet.notice({ type: "info", msg: "subscription_replaced", topic: topic.name });
    }
    const subscription = new Subscription(topic, clientId, connection, queue, this.#shared);
    topic.add(subscription);
    connection.add(subscription);
    this.#ports.observer.subscribed(subscription);
    this.#subscriptions++;
    return subscription;
  }

  #end(subscription: Subscription, reason: Ended): void {
    subscription.holder.finish(subscription);
    this.#remove(subscription, reason);
  }

  #remove(subscription: Subscription, reason: Ended): void {
    const { feed } = subscription;
    this.#ports.observer.ended(subscription, reason);
    feed.remove(subscription);
    // Those of a deleted topic do not count any more.
    if (!feed.deleted) this.#subscriptions--;
  }

  #checkOpen(): void {
    if (this.#closed) throw shuttingDown();
  }

  #topicInUse(name: string): Topic {
    this.#checkOpen();
    const topic = this.#topics.get(name);
    if (topic !== undefined) return topic;
    if (!this.#limits.autoCreateTopics) throw topicNotFound(name);
    return this.createTopic(name);
  }
}
