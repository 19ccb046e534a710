import { expect, test } from "bun:test";
import type { Session } from "../../src/broker/session.ts";
import { OVERFLOWS, type Gap, type Notice, type Overflow } from "../../src/protocol/frames.ts";
import { ProtocolError } from "../../src/protocol/codes.ts";
import { slowConsumer } from "../../src/protocol/encode.ts";
import { range } from "../support/account.ts";
import { imbalance } from "../support/balance.ts";
import { BrokerTotals } from "../support/broker-totals.ts";
import { FakePeer } from "../support/fake-peer.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { makeBroker, type BrokerAndEngine } from "../support/make-broker.ts";

const OPERATIONS = 30_000;
const NAMES = ["a", "b", "c"];
const IDS = ["x", "y", "z", "w"];

/** A subscriber as one would draw it on paper: lists, copied, nothing shared. */
type NaiveSubscriber = {
  limit: number;
  overflow: Overflow;
  topic: NaiveTopic;
  id: string;
  client: Client;
  replay: number[];
  dropped: number[];
  queue: number[];
  /** How many events it was sent, and how many it has lost for good. */
  sent: number;
  lost: number;
};
type NaiveTopic = { name: string; history: number[]; published: number; subscribers: Map<string, NaiveSubscriber> };
type Client = { peer: FakePeer; session: Session; mine: Map<string, NaiveSubscriber>; tooSlow: boolean };

/** Runs the broker beside the naive model; throws at the first thing in which they differ. */
class Comparison {
  readonly random: Random;
  readonly maxHistory: number;
  readonly queueLimit: number;
  readonly broker: BrokerAndEngine;
  readonly totals = new BrokerTotals();
  readonly topics = new Map<string, NaiveTopic>();
  readonly clients: Client[] = [];
  delivered = 0;
  gaps = 0;

  constructor(random: Random, maxHistory: number, queueLimit: number) {
    this.random = random;
    this.maxHistory = maxHistory;
    this.queueLimit = queueLimit;
    const limits = {
      maxHistory,
      maxSubscriberQueue: queueLimit,
      maxTopics: 100,
      maxSubscriptionsPerConnection: 100,
      historyMemoryBytes: 1e9,
      maxMessageBytes: 1e9,
      autoCreateTopics: false,
    };
    this.broker = makeBroker({ limits, metrics: this.totals });
    for (let i = 0; i < 5; i++) this.clients.push(this.connect());
  }

  connect(): Client {
    const peer = new FakePeer();
    return { peer, session: this.broker.connect(peer), mine: new Map(), tooSlow: false };
  }

  /** Takes off the naive lists what the client was sent, and returns the infos among it. */
  consume(client: Client, ending?: NaiveSubscriber): Notice[] {
    const infos: Notice[] = [];
    for (const sent of client.peer.sent.splice(0)) {
      if (typeof sent === "string") this.#event(client, sent, ending);
      else if (sent.type === "error") this.#gap(client, sent.topic, sent.error, ending);
      else infos.push(sent);
    }
    return infos;
  }

  #subscriber(client: Client, name: string, ending: NaiveSubscriber | undefined): NaiveSubscriber {
    const subscriber = ending?.topic.name === name ? ending : client.mine.get(name);
    if (subscriber === undefined) throw new Error(`Sent something of ${name} to one who is not subscribed`);
    return subscriber;
  }

  #event(client: Client, text: string, ending: NaiveSubscriber | undefined): void {
    const { topic, seq, message } = JSON.parse(text);
    expect(message.payload).toBe(`${topic} ${seq}`);
    const subscriber = this.#subscriber(client, topic, ending);
    if (subscriber.overflow === "latest" && subscriber.replay.length === 0) {
      subscriber.lost += subscriber.dropped.length;
      subscriber.dropped = [];
    }
    const { replay, dropped, queue } = subscriber;
    const expected = replay.length > 0 ? replay.shift() : dropped.length > 0 ? "a gap first" : queue.shift();
    expect(seq).toBe(expected);
    subscriber.sent++;
    this.delivered++;
  }

  #gap(client: Client, name: string, { first_seq, last_seq }: Gap, ending: NaiveSubscriber | undefined): void {
    const subscriber = this.#subscriber(client, name, ending);
    const { replay, dropped, queue } = subscriber;
    const lost = range(first_seq, last_seq);
    subscriber.lost += lost.length;
    expect(subscriber.overflow).not.toBe("latest");
    // Who is disconnected for one of its subscriptions is told of the others as well.
    const disconnected = client.peer.closed?.code === 1013;
    // What was left of a batch when it closed the connection was not published to it any more.
    const everything = [...replay, ...dropped, ...queue].filter((seq) => !disconnected || seq <= last_seq);
    const mayEnd = disconnected || (subscriber === ending && client.peer.blocked);
    if (mayEnd && Bun.deepEquals(lost, everything)) {
      if (subscriber.overflow === "disconnect" && queue.length > subscriber.limit) client.tooSlow = true;
      const later = queue.filter((seq) => seq > last_seq);
      Object.assign(subscriber, { replay: [], dropped: [], queue: later });
    } else {
      expect({ replay, lost }).toEqual({ replay: [], lost: dropped });
      subscriber.dropped = [];
    }
    this.gaps++;
  }

  /** Of a queue over its limit a client that was blocked has lost the oldest, or all but the newest. */
  overflow({ queue, dropped, limit, overflow }: NaiveSubscriber): void {
    if (overflow === "disconnect") return;
    if (overflow === "latest" && dropped.length + queue.length > limit)
      dropped.push(...queue.splice(0, queue.length - 1));
    while (queue.length > limit) dropped.push(queue.shift() ?? 0);
  }

  step(): void {
    const { random } = this;
    const name = random.pick(NAMES);
    const id = random.pick(IDS);
    const client = random.pick(this.clients);
    const dice = random.int(100);
    if (dice < 3) this.create(name);
    else if (dice < 4) this.remove(name);
    else if (dice < 16) this.subscribe(client, name, id, random.pick([0, 0, 1, 3, 1000]));
    else if (dice < 20) this.unsubscribe(client, name, id);
    else if (dice < 22) this.disconnect(client);
    else if (dice < 29) this.stall(client, random.int(4));
    else if (dice < 38) this.drain(client, random.pick([1, 5, Number.POSITIVE_INFINITY]));
    else if (dice < 50) this.flush();
    else
      for (let i = random.int(random.chance(0.1) ? 40 : 4); i >= 0; i--)
        this.publish(name, random.chance(0.2) ? 1 + random.int(3 * this.queueLimit) : 1);
    for (const slow of [...this.clients]) {
      if (slow.peer.closed?.code !== 1013) continue;
      expect(slow.tooSlow).toBe(true);
      this.disconnect(slow);
    }
    this.compareCounts();
  }

  create(name: string): void {
    const exists = this.topics.has(name);
    expect(refused(() => this.broker.createTopic(name))).toBe(exists ? "TOPIC_EXISTS" : undefined);
    if (!exists) this.topics.set(name, { name, history: [], published: 0, subscribers: new Map() });
  }

  remove(name: string): void {
    const topic = this.topics.get(name);
    expect(refused(() => this.broker.deleteTopic(name))).toBe(topic ? undefined : "TOPIC_NOT_FOUND");
    this.topics.delete(name);
    for (const subscriber of topic?.subscribers.values() ?? []) {
      const { client } = subscriber;
      this.ended(subscriber, [{ type: "info", msg: "topic_deleted", topic: name }]);
      expect(client.peer.closed?.code).toBe(client.mine.size === 0 ? 4404 : undefined);
      if (client.peer.closed !== undefined) this.disconnect(client);
    }
  }

  subscribe(client: Client, name: string, id: string, last_n: number): void {
    const topic = this.topics.get(name);
    const current = topic?.subscribers.get(id);
    const own = current?.client === client;
    // One id for each client and topic, so that an event tells whose it is.
    if (client.mine.has(name) && !own) return;
    const limit = this.random.int(this.queueLimit) + 1;
    const overflow = this.random.pick(OVERFLOWS);
    const asked = own ? { last_n } : { last_n, queue: limit, overflow };
    const subscribe = () => void this.broker.subscribe(client.session, name, id, asked);
    if (topic === undefined) expect(refused(subscribe)).toBe("TOPIC_NOT_FOUND");
    else if (current !== undefined && own) this.resubscribe(current, last_n, subscribe);
    else {
      subscribe();
      if (current !== undefined) this.ended(current, [{ type: "info", msg: "subscription_replaced", topic: name }]);
      const replay = last_n === 0 ? [] : topic.history.slice(-last_n);
      const subscriber = { topic, id, client, replay, dropped: [], queue: [], limit, overflow, sent: 0, lost: 0 };
      topic.subscribers.set(id, subscriber);
      client.mine.set(name, subscriber);
    }
  }

  /** History once more: what waits is sent or stays queued, and nothing is left out without a word. */
  resubscribe(subscriber: NaiveSubscriber, last_n: number, subscribe: () => void): void {
    const { topic, client } = subscriber;
    subscribe();
    if (last_n === 0) return expect(client.peer.sent).toEqual([]);
    // Sending never ends with a gap, an event always follows: one at the end tells what the new replay leaves out.
    const last = client.peer.sent.at(-1);
    const told = typeof last === "object" && last.type === "error" ? client.peer.sent.splice(-1) : [];
    this.consume(client);
    if (!client.peer.blocked) this.#nothingLeft(subscriber);
    this.#again(subscriber, topic.history.slice(-last_n), told);
  }

  #again(subscriber: NaiveSubscriber, asked: number[], sent: (string | Notice)[]): void {
    const { topic, client, overflow, queue, limit } = subscriber;
    const toBeDisconnected = client.peer.blocked && overflow === "disconnect" && queue.length > limit;
    if (asked.length === 0 || toBeDisconnected) return expect(sent).toEqual([]);
    if (client.peer.blocked) this.overflow(subscriber);
    const start = Math.min(asked[0] ?? 0, subscriber.queue[0] ?? topic.published + 1);
    const unsent = [...subscriber.replay, ...subscriber.dropped, ...subscriber.queue];
    const passedOver = unsent.filter((seq) => seq < start);
    subscriber.lost += passedOver.length;
    const left = subscriber.overflow === "latest" ? [] : passedOver;
    expect(sent).toEqual(left.length === 0 ? [] : [slowConsumer(topic.name, left[0] ?? 0, left.at(-1) ?? 0)]);
    Object.assign(subscriber, { replay: range(start, topic.published), dropped: [], queue: [] });
  }

  unsubscribe(client: Client, name: string, id: string): void {
    const topic = this.topics.get(name);
    const subscriber = topic?.subscribers.get(id);
    const unsubscribe = () => this.broker.unsubscribe(client.session, name, id);
    expect(refused(unsubscribe)).toBe(topic ? undefined : "TOPIC_NOT_FOUND");
    if (subscriber?.client === client) this.ended(subscriber, []);
  }

  /** A subscription that ends was sent what the peer took, then told the rest as one gap. */
  ended(subscriber: NaiveSubscriber, infos: Notice[]): void {
    const { client, topic } = subscriber;
    topic.subscribers.delete(subscriber.id);
    client.mine.delete(topic.name);
    expect(this.consume(client, subscriber)).toEqual(infos);
    // Who wants the latest only is told of no gap.
    const silent = subscriber.overflow === "latest" && client.peer.blocked;
    if (!silent) this.#nothingLeft(subscriber);
  }

  #nothingLeft({ replay, dropped, queue }: NaiveSubscriber): void {
    expect([replay, dropped, queue]).toEqual([[], [], []]);
  }

  disconnect(client: Client): void {
    for (const { topic, id } of client.mine.values()) topic.subscribers.delete(id);
    client.mine.clear();
    this.broker.end(client.session, "disconnected");
    this.clients[this.clients.indexOf(client)] = this.connect();
  }

  publish(name: string, count: number): void {
    const topic = this.topics.get(name);
    if (topic === undefined) {
      expect(refused(() => this.broker.publish(name, [{ id: "i", payload: "0" }]))).toBe("TOPIC_NOT_FOUND");
      return;
    }
    const first = topic.published + 1;
    const seqs = range(first, topic.published + count);
    const messages = seqs.map((seq) => ({ id: "i", payload: `"${name} ${seq}"` }));
    const published = this.broker.publish(name, messages, () => {
      // Before it is accepted nobody was sent any of it.
      for (const client of this.clients) expect(this.consume(client)).toEqual([]);
      for (const subscriber of topic.subscribers.values()) subscriber.queue.push(...seqs);
    });
    expect(published).toMatchObject({ first, seq: first + count - 1 });
    for (const client of this.clients) expect(this.consume(client)).toEqual([]);
    topic.published += count;
    topic.history = [...topic.history, ...seqs].slice(
      this.maxHistory === 0 ? topic.history.length + count : -this.maxHistory,
    );
    for (const subscriber of topic.subscribers.values()) {
      if (subscriber.client.peer.blocked && subscriber.overflow === "drop_oldest") this.overflow(subscriber);
    }
  }

  /** The client's socket takes `room` more events, then no more until it drains. */
  stall(client: Client, room: number): void {
    if (!client.peer.blocked) client.peer.room = room;
  }

  drain(client: Client, room: number): void {
    if (!client.peer.blocked) return;
    for (const subscriber of client.mine.values()) this.overflow(subscriber);
    client.peer.room = room;
    client.session.drained();
    this.compareSent(client);
  }

  flush(): void {
    this.broker.flush();
    for (const client of this.clients) this.compareSent(client);
  }

  /** A client whose peer takes more has nothing left to get. */
  compareSent(client: Client): void {
    expect(this.consume(client)).toEqual([]);
    for (const subscriber of client.mine.values()) {
      if (!client.peer.blocked) this.#nothingLeft(subscriber);
      else if (subscriber.overflow === "disconnect" && client.peer.closed === undefined) {
        expect(subscriber.queue.length).toBeLessThanOrEqual(subscriber.limit);
      }
    }
  }

  /** What was to be sent is accounted for: of each subscriber, of each topic, and in all. */
  #compareLedgers(): void {
    for (const topic of this.topics.values()) {
      const { ledger, subscribers } = this.broker.topicDetail(topic.name);
      expect(imbalance(ledger)).toBe(0);
      for (const { clientId, ledger: own } of subscribers) {
        const { sent, lost, replay, dropped, queue } = topic.subscribers.get(clientId) ?? never();
        expect(imbalance(own)).toBe(0);
        expect(own.due).toBe(sent + lost + replay.length + dropped.length + queue.length);
        expect(own.delivered).toBe(sent);
      }
    }
    const { due, delivered, dropped } = this.totals.counts;
    const { queued, unflushed, unreported } = this.broker.backlog;
    expect(due).toBe(delivered + dropped + unreported + queued + unflushed);
    expect(delivered).toBe(this.delivered);
  }

  compareCounts(): void {
    const { broker } = this;
    const real = broker.engine.listTopics().map(({ name, seq }) => [name, seq, broker.subscribersOf(name)]);
    const naive = [...this.topics.values()].map((t) => [t.name, t.published, t.subscribers.size]);
    expect(real).toEqual(naive);
    if (!this.clients.some((client) => client.peer.blocked)) {
      const logged = [...this.topics.keys()].reduce((sum, name) => sum + broker.topicDetail(name).bytes, 0);
      expect(broker.stats.historyBytes).toBe(logged);
    }
    this.#compareLedgers();
    expect(broker.stats.subscriptions).toBe(this.clients.reduce((sum, client) => sum + client.mine.size, 0));
  }
}

function never(): never {
  throw new Error("Shown, and not there");
}

function refused(request: () => unknown): string | undefined {
  try {
    request();
    return undefined;
  } catch (cause) {
    if (cause instanceof ProtocolError) return cause.code;
    throw cause;
  }
}

for (const [maxHistory, queueLimit] of [
  [10, 5],
  [5, 5],
  [3, 8],
  [0, 4],
  [6, 1],
] as const) {
  test(`Broker does what naive lists do, history ${maxHistory} and queue ${queueLimit}`, () => {
    const seed = seedOfRun();
    const comparison = new Comparison(new Random(seed), maxHistory, queueLimit);
    let step = 0;
    try {
      for (; step < OPERATIONS; step++) comparison.step();
    } catch (cause) {
      throw new Error(`SEED=${seed}, operation ${step}: ${cause instanceof Error ? cause.stack : cause}`);
    }
    expect(comparison.delivered).toBeGreaterThan(OPERATIONS / 10);
    expect(comparison.gaps).toBeGreaterThan(OPERATIONS / 1000);
  });
}

test("slowConsumer counts what it names", () => {
  expect(slowConsumer("t", 3, 5)).toMatchObject({ error: { dropped: 3, first_seq: 3, last_seq: 5 } });
});
