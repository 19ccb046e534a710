import type { Broker } from "../broker/broker.ts";
import type { Subscription } from "../broker/subscription.ts";
import { readCreateTopic } from "../protocol/http.ts";
import { checked, readText } from "./body.ts";
import { topicOf, type RoutedRequest } from "./topic-path.ts";

type Deps = { broker: Broker; maxMessageBytes: number };

/** `POST /topics` */
export function createTopic({ broker, maxMessageBytes }: Deps) {
  return async (request: Request): Promise<Response> => {
    const { name } = checked(readCreateTopic(await readText(request, maxMessageBytes)));
    broker.createTopic(name);
    return Response.json({ status: "created", topic: name }, { status: 201 });
  };
}

/** `GET /topics` */
export function listTopics({ broker }: Pick<Deps, "broker">) {
  return (): Response => {
    const topics = [...broker.topics.values()];
    return Response.json({
      topics: topics.map(({ name, subscriptions }) => ({ name, subscribers: subscriptions.size })),
    });
  };
}

/** `GET /topics/{name}` */
export function showTopic({ broker }: Pick<Deps, "broker">) {
  return (request: RoutedRequest): Response => {
    const { name, epoch, log, historyStart, subscriptions } = broker.topic(topicOf(request));
    return Response.json({
      topic: name,
      epoch,
      seq: log.newest,
      oldest_seq: historyStart + 1,
      history: { messages: log.newest - historyStart, bytes: log.bytes },
      subscribers: [...subscriptions.values()].map(describeSubscriber),
    });
  };
}

function describeSubscriber(subscription: Subscription) {
  const { transport, connectedAt } = subscription.holder.outlet;
  return {
    client_id: subscription.clientId,
    transport,
    ...subscription.figures(),
    connected_since: new Date(connectedAt).toISOString(),
  };
}

/** `DELETE /topics/{name}` */
export function deleteTopic({ broker }: Pick<Deps, "broker">) {
  return (request: RoutedRequest): Response => {
    const name = topicOf(request);
    broker.deleteTopic(name);
    return Response.json({ status: "deleted", topic: name });
  };
}

/** `GET /stats` */
export function stats({ broker }: Pick<Deps, "broker">) {
  return (): Response => {
    const topics = [...broker.topics.values()].map(
      ({ name, log, subscriptions }) => [name, { messages: log.newest, subscribers: subscriptions.size }] as const,
    );
    return Response.json({ topics: Object.fromEntries(topics) });
  };
}
