import { epochOver } from "../protocol/codes.ts";
import { tsOf, type History, type Place } from "../protocol/encode.ts";
import type { HistoryRange } from "../protocol/messages.ts";
import type { Readers } from "./fanout.ts";
import type { Ledger } from "../protocol/ledger.ts";
import type { SubscriberPage, SubscriberStats, TopicDetail } from "../protocol/nodes.ts";
import { addTo, emptyLedger, totalOf } from "../protocol/ledger.ts";
import type { Session } from "./session.ts";
import type { Subscription } from "./subscription.ts";
import type { Topic } from "./topic.ts";

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
  if (asked !== undefined && asked !== epoch) throw epochOver(topic.name, asked, epoch);
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
