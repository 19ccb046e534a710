import { shuttingDown, topicNotFound } from "../../protocol/codes.ts";
import type { History, Published } from "../../protocol/encode.ts";
import type { HistoryRange, Publication } from "../../protocol/messages.ts";
import type { NodeInfo, SubscriberPage, TopicDetail } from "../../protocol/nodes.ts";
import type { Claim, Engine, Subscribing, TopicSummary, Totals } from "../engine.ts";
import type { Opened } from "./answers.ts";
import { Commands, type OpenMode, type RedisEngineLimits } from "./commands.ts";
import type { Asking, LinkEvents } from "./link.ts";
import { Members } from "./members.ts";
import { BEAT_MS, nodeMessage, Nodes } from "./nodes.ts";
import type { RedisEnginePorts } from "./ports.ts";
import { Presence } from "./presence.ts";
import { Publisher, type UnderWay } from "./publisher.ts";
import { Recovery } from "./recovery.ts";
import { Replicas } from "./replicas.ts";
import { Queries } from "./queries.ts";
import { Regular } from "./regular.ts";
import { LOOK_MS, Watch } from "./watch.ts";

/**
 * The engine of several nodes, over one Redis or Valkey. Redis gives messages their order, keeps the newest of each topic,
 * and announces them on a channel. Every node hands the broker what the channels of its topics bring.
 */
export class RedisEngine implements Engine, LinkEvents {
  readonly #limits: RedisEngineLimits;
  readonly #ports: RedisEnginePorts;
  readonly #commands: Commands;
  readonly #replicas: Replicas;
  readonly #members: Members;
  readonly #nodes: Nodes;
  readonly #watch: Watch;
  readonly #presence: Presence;
  readonly #publisher: Publisher;
  #closed = false;
  readonly #queries: Queries;
  readonly #regular: Regular;

  constructor(limits: RedisEngineLimits, ports: RedisEnginePorts) {
    const { broker, link, keys, observer, makeEpoch, isoOf, id, node, topics, after, soon } = ports;
    this.#limits = limits;
    this.#ports = ports;
    const commands = new Commands(link, () => link.whenOpen(), keys, limits, makeEpoch);
    const failed = (cause: unknown) => observer.failed(cause);
    const filled = (messages: number) => observer.filled(messages);
    const unlessLost = <T>(name: string, ask: () => Promise<T>) => this.#presence.unlessLost(name, ask);
    const underWay: UnderWay = new Set();
    const isUnderWay = (tag: string) => underWay.has(tag);
    const replicas = new Replicas({
      ...{ broker, link, commands, keys, isoOf, after, soon },
      ...{ filled, isUnderWay, unlessLost, failed },
    });
    const members = new Members({ broker, commands, replicas, failed });
    const detail = (name: string, page: SubscriberPage) => {
      return replicas.get(name)?.head === undefined ? undefined : broker.topicDetail(name, page);
    };
    const nodes = new Nodes({ commands, keys, replicas, node, detail, after, failed });
    const recovery = new Recovery({ keys, replicas, makeEpoch, lost: (count) => observer.dataLost(count) });
    const nodeGone = (name: string) => observer.nodeGone(name);
    this.#presence = new Presence({
      ...{ commands, keys, members, nodes, recovery, replicas },
      ...{ id, topics, nodeGone, after, failed },
    });
    const { maxHistory } = limits;
    this.#queries = new Queries({
      broker,
      commands,
      keys,
      nodes,
      replicas,
      presence: this.#presence,
      id,
      isoOf,
      maxHistory,
    });
    const published = (messages: number) => observer.published(messages);
    this.#publisher = new Publisher({
      ...{ commands, replicas, underWay, mostBytes: limits.enginePendingBytes },
      ...{ id, isoOf, published, unlessLost },
    });
    this.#watch = new Watch({
      ...{ broker, commands, replicas, after, inbox: keys.inbox(id) },
      probeLost: () => {
        observer.probeLost();
        link.hearAnew("a probe was lost");
      },
    });
    [this.#commands, this.#replicas, this.#members, this.#nodes] = [commands, replicas, members, nodes];
    link.start(this);
    this.#regular = new Regular({ after, isAway: () => link.away !== undefined, failed });
    this.#regular.start(LOOK_MS, () => this.#watch.look());
    this.#regular.start(BEAT_MS, () => this.#presence.beat());
  }

  get away(): string | undefined {
    return this.#ports.link.away;
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#replicas.settled();
  }

  async release(): Promise<void> {
    this.#regular.stop();
    try {
      if (this.away === undefined) await this.#presence.leave();
    } catch (cause) {
      this.#ports.observer.failed(cause);
    } finally {
      this.#ports.link.close();
    }
  }

  async createTopic(name: string): Promise<void> {
    this.#replicas.meet(name, await this.#open(name, "create"));
  }

  async deleteTopic(name: string): Promise<void> {
    this.#checkOpen();
    await this.#presence.unlessLost(name, () => this.#commands.delete(this.#replicas.subject(name)));
    const topic = this.#replicas.get(name);
    if (topic !== undefined) this.#replicas.deleted(topic);
  }

  listTopics(): Promise<readonly TopicSummary[]> {
    return this.#queries.listTopics();
  }

  totals(): Promise<Totals> {
    return this.#queries.totals();
  }

  nodes(): Promise<readonly NodeInfo[]> {
    return this.#nodes.list();
  }

  topicDetail(name: string, page: SubscriberPage): Promise<TopicDetail> {
    return this.#queries.topicDetail(name, page);
  }

  async findTopic(name: string): Promise<void> {
    const opened = await this.#open(name, "find");
    this.#replicas.enter(this.#replicas.meet(name, opened), opened.base);
  }

  async subscribe<T>(name: string, claim: Claim, { check, begin }: Subscribing<T>): Promise<T> {
    const opened = await this.#open(name, this.#limits.autoCreateTopics ? "ensure" : "find");
    const before = opened.created ? undefined : opened.epoch;
    const topic = this.#replicas.meet(name, opened);
    await this.#replicas.follow(topic);
    // A client may come with a position that another node has got to.
    await this.#replicas.reach(topic, opened.epoch, opened.seq);
    if (topic.gone) throw topicNotFound(name);
    check(before);
    return this.#members.take(
      topic,
      claim,
      ({ epoch, seq }) => this.#replicas.reach(topic, epoch, seq),
      () => {
        this.#checkOpen();
        return begin(before);
      },
    );
  }

  left(name: string, clientId: string): void {
    this.#members.left(name, clientId);
  }

  async publish(name: string, publication: Publication, accepted: (published: Published) => void): Promise<void> {
    this.#checkOpen();
    await this.#publisher.publish(name, publication, accepted);
  }

  async history(name: string, range: HistoryRange): Promise<History> {
    this.#checkOpen();
    return this.#queries.history(name, range);
  }

  // Called by the link.

  get channels(): readonly string[] {
    return [this.#ports.keys.control, this.#ports.keys.inbox(this.#ports.id)];
  }

  async opened(asking: Asking): Promise<void> {
    await this.#presence.connected(this.#commands.over(asking), this.#ports.link.server);
  }

  ready(): void {
    this.#replicas.refreshAll();
  }

  hearing(): void {
    if (this.away === undefined) this.#replicas.refreshAll();
  }

  heard(channel: string, message: string): void {
    const { keys } = this.#ports;
    if (channel !== keys.control && channel !== keys.inbox(this.#ports.id)) {
      return this.#replicas.heard(channel, message);
    }
    const told = nodeMessage.parse(JSON.parse(message));
    switch (told[0]) {
      case "deleted": {
        const topic = this.#replicas.get(told[2]);
        return topic?.isSame(told[1]) === true ? this.#replicas.deleted(topic) : undefined;
      }
      case "replaced":
        return this.#members.replaced(told[1], told[2], told[3]);
      case "detail": {
        const [, number, from, name, limit, after] = told;
        const page = { limit: limit ?? undefined, after: after ?? undefined };
        return this.#nodes.answer(this.#ports.id, number, from, name, page);
      }
      case "answer":
        return this.#nodes.answered(told[1], told[2]);
      case "probe":
        return this.#watch.heard(told[1]);
    }
  }

  async #open(name: string, mode: OpenMode): Promise<Opened> {
    this.#checkOpen();
    return this.#presence.unlessLost(name, () => this.#commands.open(this.#replicas.subject(name), mode));
  }

  #checkOpen(): void {
    if (this.#closed) throw shuttingDown();
  }
}
