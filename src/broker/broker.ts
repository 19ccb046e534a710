import { CLOSE, topicNotFound } from "../protocol/codes.ts";
import type { History, Place, TopicText } from "../protocol/encode.ts";
import type { Subscribed } from "../protocol/frames.ts";
import type { EndReason } from "../protocol/ledger.ts";
import type { HistoryRange, Placed } from "../protocol/messages.ts";
import type { SubscriberPage, TopicDetail } from "../protocol/nodes.ts";
import { admit, queueOf } from "./admission.ts";
import { Appender } from "./appender.ts";
import { backlogOf, type Backlog } from "./backlog.ts";
import type { Queue } from "./cursor.ts";
import { Deletions } from "./deletions.ts";
import { endingOf } from "./endings.ts";
import { Fanout, type Readers } from "./fanout.ts";
import { HistoryBudget } from "./history-budget.ts";
import type { BrokerLimits, BrokerPorts, Peer } from "./ports.ts";
import { renew } from "./renewal.ts";
import { outcomeOf, recoveryOf, replayStart, type SubscribeOptions } from "./recovery.ts";
import { Session } from "./session.ts";
import { findMessage, historyOf, topicDetail } from "./stats.ts";
import { Subscription, type Shared } from "./subscription.ts";
import { Topic } from "./topic.ts";

/**
 * Holds topics and their subscribers. An engine reports what was published. `flush()` sends it to the subscribers'
 * peers, as far as each takes it. The broker never waits. A request that cannot be granted throws a `ProtocolError` and
 * changes nothing.
 *
 * | append()       | constant for each message; flushes first if the topic is full |
 * | flush()        | linear in the subscribers of the topics published to, and in what lagging ones are sent |
 * | subscribe()    | linear in the session's subscriptions, and in a replay that has to be pinned |
 * | topicDeleted() | linear in the topic's subscribers; ending them takes several turns |
 */
export class Broker {
  readonly #limits: BrokerLimits;
  readonly #ports: BrokerPorts;
  readonly #topics = new Map<string, Readers>();
  readonly #budget: HistoryBudget;
  readonly #shared: Shared;
  readonly #fanout: Fanout;
  readonly #appender: Appender;
  readonly #deletions: Deletions;
  #subscriptions = 0;

  constructor(limits: BrokerLimits, ports: BrokerPorts) {
    this.#limits = limits;
    this.#ports = ports;
    this.#budget = new HistoryBudget(limits.historyMemoryBytes);
    const { metrics, observer } = ports;
    this.#shared = { budget: this.#budget, metrics, observer };
    this.#fanout = new Fanout({ metrics, observer, tooSlow: this.#disconnect });
    this.#appender = new Appender(ports, this.#budget, this.#fanout, () => this.flush());
    this.#deletions = new Deletions({ soon: ports.soon, end: (one) => this.#end(one, "topic_deleted") });
  }

  // Called by an engine.

  /** Adds a topic that was created, or has become known here. Its epoch begins after `seq`. */
  topicCreated(text: TopicText, seq: number): void {
    const topic = new Topic(text, seq, this.#limits);
    this.#topics.set(topic.name, { topic, subscriptions: new Map() });
    this.#budget.add(topic.log);
  }

  /**
   * Forgets the topic, ends every subscription to it, and closes each connection that has no subscription left. If
   * there are many subscribers, it ends some at once and the others in later turns, so that other clients do not wait.
   */
  topicDeleted(name: string): void {
    const { topic, subscriptions } = this.#readers(name);
    this.#topics.delete(name);
    this.#budget.remove(topic.log);
    topic.deleted = true;
    this.#subscriptions -= subscriptions.size;
    this.#deletions.add(subscriptions.values());
  }

  /** Begins a new epoch of the topic, after `seq`. Its subscribers stay, and are told; see {@link renew}. */
  epochChanged(text: TopicText, seq: number): void {
    const readers = this.#readers(text.topic);
    this.flush();
    this.#budget.remove(readers.topic.log);
    const topic = new Topic(text, seq, this.#limits);
    this.#budget.add(topic.log);
    this.#topics.set(topic.name, renew(readers, topic, this.#fanout, this.#shared));
  }

  /** Ends the subscription of that id, because another node has one now. */
  takenOver(name: string, clientId: string): void {
    const subscription = this.#topics.get(name)?.subscriptions.get(clientId);
    if (subscription !== undefined) this.#end(subscription, "replaced");
  }

  /**
   * Makes these messages the newest of the topic. It ignores those that it has. If `first` jumps ahead, the subscribers are
   * told of a gap.
   */
  append(name: string, placed: Placed): void {
    const readers = this.#topics.get(name);
    if (readers !== undefined) this.#appender.append(readers, placed);
  }

  /** The place of a message that was appended as findable, if history still has it. */
  find(name: string, id: string): Place | undefined {
    return findMessage(this.#readers(name).topic, id.toLowerCase());
  }

  // Called for clients.

  /** Makes the session of a client that has connected. */
  connect(peer: Peer): Session {
    return new Session(peer, this.#disconnect);
  }

  /**
   * Subscribes as `clientId`. If another session holds that id, its subscription ends.
   *
   * The replay, then the newly published events, follow with the next flush, so that the caller can acknowledge first.
   *
   * @throws {ProtocolError} `TOPIC_NOT_FOUND`, `LIMIT_EXCEEDED`, `BAD_REQUEST` for a position that is not there yet
   */
  subscribe(session: Session, name: string, clientId: string, options: SubscribeOptions = {}): Subscribed {
    const { readers, start, queue, own } = this.#admission(session, name, clientId, options);
    const { topic } = readers;
    this.#deletions.endThoseOf(session);
    const subscription = own ?? this.#begin(readers, clientId, session, queue);
    if (options.queue !== undefined || options.overflow !== undefined) subscription.queue = queue;
    if (start !== undefined) session.send(subscription);
    const replay = start === undefined ? 0 : subscription.replay(start);
    if (subscription.pending && this.#fanout.enqueue(subscription)) this.#ports.wake(0, 0);
    // If a subscriber asks again, what is queued for it is not missed, even if history no longer has it.
    const recovery = recoveryOf(topic, options.since, Math.min(start ?? 0, subscription.position));
    if (options.since !== undefined) this.#ports.metrics.resumed(outcomeOf(recovery));
    const base = topic.base > 0 ? { base: topic.base } : {};
    return { topic: name, epoch: topic.epoch, ...base, seq: topic.log.newest, replay, ...recovery };
  }

  /** Throws what {@link subscribe} would throw now, and changes nothing. */
  check(session: Session, name: string, clientId: string, options: SubscribeOptions = {}): void {
    this.#admission(session, name, clientId, options);
  }

  /**
   * Ends the subscription, if the session holds one under that id.
   *
   * @throws {ProtocolError} `TOPIC_NOT_FOUND`
   */
  unsubscribe(session: Session, name: string, clientId: string): void {
    const subscription = this.#readers(name).subscriptions.get(clientId);
    if (subscription?.session === session) this.#end(subscription, "unsubscribed");
  }

  /** Ends every subscription of the session. */
  end(session: Session, reason: EndReason): void {
    for (const subscription of [...session.subscriptions]) this.#end(subscription, reason);
  }

  /** Ends what the session may no longer be subscribed to. Returns the topics. */
  revoke(session: Session, isAllowed: (topic: string) => boolean): string[] {
    const revoked = session.subscriptions.filter(({ topicName }) => !isAllowed(topicName));
    for (const subscription of revoked) this.#end(subscription, "revoked");
    return [...new Set(revoked.map(({ topicName }) => topicName))];
  }

  /** Sends what was published or asked for since the last flush, as far as the peers take it. Then trims history. */
  flush(): void {
    this.#fanout.flush();
    if (this.#budget.over) this.#ports.observer.trimmed(this.#budget.trim(), this.#limits.historyMemoryBytes);
  }

  /** History is in bytes. */
  get stats(): { topics: number; subscriptions: number; historyBytes: number } {
    return { topics: this.#topics.size, subscriptions: this.#subscriptions, historyBytes: this.#budget.used };
  }

  /** What waits for subscribers; linear in their number. */
  get backlog(): Backlog {
    return backlogOf(this.#topics.values(), this.#deletions.left);
  }

  /** How many subscribers a topic has; 0 if there is no such topic. */
  subscribersOf(name: string): number {
    return this.#topics.get(name)?.subscriptions.size ?? 0;
  }

  isSubscribed(name: string, clientId: string): boolean {
    return this.#topics.get(name)?.subscriptions.has(clientId) === true;
  }

  /** @throws {ProtocolError} `TOPIC_NOT_FOUND` */
  topicDetail(name: string, page: SubscriberPage = {}): TopicDetail {
    return topicDetail(this.#readers(name), page);
  }

  /** @throws {ProtocolError} `TOPIC_NOT_FOUND`, `EPOCH_OVER` */
  history(name: string, range: HistoryRange): History {
    return historyOf(this.#readers(name).topic, range);
  }

  /** Ends a subscription that asked to be disconnected instead of losing events, and closes its connection. */
  readonly #disconnect = (subscription: Subscription<Session>): void => {
    this.#end(subscription, "too_slow");
    this.end(subscription.session, "connection_closed");
    subscription.peer.close(CLOSE.slowConsumer);
  };

  #admission(session: Session, name: string, clientId: string, options: SubscribeOptions) {
    const readers = this.#readers(name);
    const { topic, subscriptions } = readers;
    const start = replayStart(topic, options);
    const queue = queueOf(topic, options);
    const current = subscriptions.get(clientId);
    const own = current?.session === session ? current : undefined;
    if (own === undefined) admit(session, topic, current, this.#limits.maxSubscriptionsPerConnection);
    return { readers, start, queue, own };
  }

  #begin({ topic, subscriptions }: Readers, clientId: string, session: Session, queue: Queue) {
    const current = subscriptions.get(clientId);
    if (current !== undefined) this.#end(current, "replaced");
    const subscription = new Subscription(topic, clientId, session, session.peer, queue, this.#shared);
    subscriptions.set(clientId, subscription);
    session.add(subscription);
    this.#ports.observer.subscribed(subscription);
    this.#subscriptions++;
    return subscription;
  }

  /** Every subscription ends here. */
  #end(subscription: Subscription<Session>, reason: EndReason): void {
    const { session, topic, clientId, peer } = subscription;
    const { sends, tells, notice } = endingOf(reason);
    if (sends) this.#fanout.finish(subscription);
    subscription.end(reason, tells);
    subscription.addTo(topic.ended);
    session.remove(subscription);
    // Subscriptions of a deleted topic are no longer counted, and a new topic may have its name.
    if (!topic.deleted && this.#topics.get(topic.name)?.subscriptions.delete(clientId)) {
      this.#subscriptions--;
      if (reason !== "replaced") this.#ports.left(topic.name, clientId);
    }
    this.#ports.observer.ended(subscription, reason);
    if (notice !== undefined) peer.notice(notice(topic.name));
  }

  #readers(name: string): Readers {
    const readers = this.#topics.get(name);
    if (readers === undefined) throw topicNotFound(name);
    return readers;
  }
}
