import { ProtocolError } from "../protocol/codes.ts";
import { tsOf, type History, type Place } from "../protocol/encode.ts";
import type { HistoryRange } from "../protocol/messages.ts";
import type { Readers } from "./fanout.ts";
import type { Transport } from "../protocol/frames.ts";
import type { Ledger } from "../protocol/ledger.ts";
import { addTo, emptyLedger, totalOf } from "./ledger.ts";
import type { Session } from "./session.ts";
import type { Subscription } from "./subscription.ts";
import type { Topic } from "./topic.ts";

/** Selects subscribers of a topic: at most `limit`, whose `client_id` comes after `after`. */
export type SubscriberPage = { limit?: number | undefined; after?: string | undefined };

export type SubscriberStats = {
  clientId: string;
  transport: Transport;
  /** Events that wait to be sent to the subscriber. */
  queued: number;
  /** Events that it lost, reported or not. */
  dropped: number;
  address: string | undefined;
  ledger: Ledger;
  /** In milliseconds since 1970 UTC. */
  connectedAt: number;
};

export type TopicDetail = {
  epoch: string;
  /** The newest message. */
  seq: number;
  /** The oldest message in history; `seq + 1` if there is none. */
  oldestSeq: number;
  /** The memory that the log takes, in bytes. */
  bytes: number;
  /** Of all subscribers together, those whose subscription has ended included. */
  ledger: Ledger;
  /** How many subscribers there are. */
  total: number;
  /** The selected subscribers, sorted by `client_id` in UTF-16 code units. */
  subscribers: SubscriberStats[];
};

export function topicDetail({ topic, subscriptions }: Readers, { limit, after }: SubscriberPage): TopicDetail {
  const { epoch, log, historyStart } = topic;
  const ids = [...subscriptions.keys()].filter((id) => after === undefined || id > after).sort();
  const page = ids.slice(0, limit).flatMap((id) => subscriptions.get(id) ?? []);
  return {
    epoch,
    seq: log.newest,
    oldestSeq: historyStart + 1,
    bytes: log.bytes,
    ledger: ledgerOf(topic, subscriptions.values()),
    total: subscriptions.size,
    subscribers: page.map(subscriberStats),
  };
}

function subscriberStats(subscription: Subscription<Session>): SubscriberStats {
  const { clientId, peer } = subscription;
  const { transport, address, connectedAt } = peer;
  const ledger = emptyLedger();
  subscription.addTo(ledger);
  const queued = ledger.queued + ledger.unflushed;
  return { clientId, transport, address, queued, dropped: totalOf(ledger.dropped), connectedAt, ledger };
}

function ledgerOf({ ended }: Topic, subscriptions: Iterable<Subscription<Session>>): Ledger {
  const sum = emptyLedger();
  addTo(sum, ended);
  for (const subscription of subscriptions) subscription.addTo(sum);
  return sum;
}

/** The place of a message that can be found by `key`, if history still has it. */
export function findMessage({ log, historyStart, text }: Topic, key: string): Place | undefined {
  const seq = log.find(key);
  return seq === undefined || seq <= historyStart ? undefined : { seq, ts: tsOf(text, log.at(seq)) };
}

/** @throws {ProtocolError} `EPOCH_OVER` */
export function historyOf(topic: Topic, range: HistoryRange): History {
  const { log, historyStart, text, epoch } = topic;
  const { last_n = Infinity, since, until = Infinity, most } = range;
  const asked = range.epoch ?? since?.epoch;
  if (asked !== undefined && asked !== epoch) {
    const message = `Epoch '${asked}' of topic '${topic.name}' is over: it is '${epoch}' now`;
    throw new ProtocolError("EPOCH_OVER", message, { topic: topic.name });
  }
  const first = Math.max(historyStart, since?.seq ?? log.newest - last_n) + 1;
  const last = Math.min(log.newest, until);
  const events: string[] = [];
  let size = 0;
  let seq = first;
  for (; seq <= last && size < most; seq++) {
    const event = log.at(seq);
    events.push(event);
    size += event.length;
  }
  return { text, oldest: historyStart + 1, newest: log.newest, events, size, more: seq <= last };
}
