import type { Broker } from "../broker/broker.ts";
import type { Topic } from "../broker/topic.ts";
import type { Clock } from "../ops/clock.ts";
import { ProtocolError } from "../protocol/codes.ts";
import { encodeHistory } from "../protocol/encode.ts";
import { readHistoryQuery, readMessages, type HistoryQuery } from "../protocol/http.ts";
import { checked, readText } from "./body.ts";
import type { LargeAnswers, Watched } from "./large-answers.ts";
import { queryOf, topicOf, type RoutedRequest } from "./topic-path.ts";

type Deps = { broker: Broker; clock: Clock; answers: LargeAnswers; maxMessageBytes: number };

/**
 * How much history one answer carries at the most, in UTF-16 code units of events; the one that crosses it still goes whole.
 */
export const HISTORY_PAGE_BYTES = 8 * 1024 * 1024;

/** `POST /topics/{name}/messages` */
export function publishMessages({ broker, clock, maxMessageBytes }: Omit<Deps, "answers">) {
  return async (request: RoutedRequest): Promise<Response> => {
    const name = topicOf(request);
    const messages = checked(readMessages(await readText(request, maxMessageBytes), Bun.randomUUIDv7));
    const { topic, first, seq } = broker.publish(name, messages, clock.iso());
    const ids = messages.map(({ id }) => id);
    return Response.json({ status: "ok", topic: name, epoch: topic.epoch, first_seq: first, seq, ids });
  };
}

/** `GET /topics/{name}/messages` */
export function readHistory({ broker, answers }: Pick<Deps, "broker" | "answers">) {
  return (request: RoutedRequest, server: Watched): Response => {
    const query = checked(readHistoryQuery(queryOf(request)));
    const topic = broker.topic(topicOf(request));
    const epoch = query.epoch ?? query.since?.epoch;
    if (epoch !== undefined && epoch !== topic.epoch) {
      const message = `Epoch '${epoch}' of topic '${topic.name}' is over: it is '${topic.epoch}' now`;
      throw new ProtocolError("EPOCH_OVER", message, { topic: topic.name });
    }
    const headers = { "content-type": "application/json;charset=utf-8" };
    const { size, ...page } = pageOf(topic, query, Math.min(HISTORY_PAGE_BYTES, answers.largest));
    answers.checkRoom(server, size);
    return answers.answer(request, server, encodeHistory({ topic, ...page }), headers);
  };
}

function pageOf(
  { log, historyStart }: Topic,
  { last_n = Infinity, since, until = Infinity }: HistoryQuery,
  most: number,
) {
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
  return { oldest: historyStart + 1, newest: log.newest, events, more: seq <= last, size };
}
