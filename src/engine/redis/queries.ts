import { epochOver } from "../../protocol/codes.ts";
import { encodeEvent, topicText, type History } from "../../protocol/encode.ts";
import type { HistoryRange } from "../../protocol/messages.ts";
import type { SubscriberPage, TopicDetail } from "../../protocol/nodes.ts";
import type { LocalBroker, TopicSummary, Totals } from "../engine.ts";
import type { Commands } from "./commands.ts";
import { subscribersOf } from "./details.ts";
import type { Keys } from "./keys.ts";
import type { Nodes } from "./nodes.ts";
import type { Presence } from "./presence.ts";
import { topicNames } from "./recovery.ts";
import type { Replicas } from "./replicas.ts";
import { messageOf, metaOf } from "./wire.ts";

export type QueriesPorts = {
  broker: LocalBroker;
  commands: Commands;
  keys: Keys;
  nodes: Nodes;
  presence: Presence;
  replicas: Replicas;
  /** What this node is called. */
  id: string;
  isoOf(ms: number): string;
  maxHistory: number;
};

/** What is asked about topics on all nodes together. */
export class Queries {
  readonly #ports: QueriesPorts;

  constructor(ports: QueriesPorts) {
    this.#ports = ports;
  }

  async listTopics(): Promise<readonly TopicSummary[]> {
    const { commands, keys } = this.#ports;
    const names = await topicNames(commands, keys);
    const heads = await commands.list(names);
    return heads.flatMap(({ epoch, seq, members }, index) => {
      const name = names[index];
      return name === undefined || epoch === "" ? [] : [{ name, epoch, seq, subscribers: members }];
    });
  }

  async totals(): Promise<Totals> {
    const { commands, keys } = this.#ports;
    const { topics, state } = keys;
    const [count, members] = await Promise.all([
      commands.send("ZCARD", [topics]),
      commands.send("HGET", [state, "members"]),
    ]);
    return { topics: Number(count), subscribers: Number(members ?? 0) };
  }

  async topicDetail(name: string, page: SubscriberPage): Promise<TopicDetail> {
    const { broker, commands, nodes, presence, replicas, id, maxHistory } = this.#ports;
    const { found, unanswered } = await nodes.ask(id, name, page);
    const read = { from: Number.MAX_SAFE_INTEGER, bytes: 0 };
    const { epoch, seq, base, oldest } = await presence.unlessLost(name, () => {
      return commands.read(replicas.subject(name), read);
    });
    const own = replicas.get(name)?.head === undefined ? undefined : broker.topicDetail(name, page);
    const oldestSeq = Math.max(oldest, base + 1, seq - maxHistory + 1);
    const all = subscribersOf(own === undefined ? found : [...found, own], page);
    return { epoch, seq, oldestSeq, bytes: own?.bytes ?? 0, ...all, ...(unanswered > 0 && { unanswered }) };
  }

  async history(name: string, range: HistoryRange): Promise<History> {
    const { commands, presence, replicas, isoOf, maxHistory } = this.#ports;
    const { since, until, last_n: last = maxHistory, most } = range;
    const asked = { from: (since?.seq ?? 0) + 1, to: until, last: Math.min(last, maxHistory), bytes: most };
    const page = await presence.unlessLost(name, () => commands.read(replicas.subject(name), asked));
    const { epoch, base, seq, oldest, more, entries } = page;
    const wanted = range.epoch ?? since?.epoch;
    if (wanted !== undefined && wanted !== epoch) throw epochOver(name, wanted, epoch);
    const text = topicText(name, epoch);
    const events = entries.map(([at, meta, entry]) => {
      const { ms, traceparent } = metaOf(meta);
      return encodeEvent(text, at, messageOf(entry), isoOf(ms), traceparent);
    });
    const size = events.reduce((sum, event) => sum + event.length, 0);
    return { text, oldest: Math.max(oldest, base + 1, seq - maxHistory + 1), newest: seq, events, size, more };
  }
}
