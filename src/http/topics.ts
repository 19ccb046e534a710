import type { Broker } from "../broker/broker.ts";
import { createTopicBody } from "../protocol/http.ts";
import { readJson } from "./body.ts";
import { topicOf } from "./topic-path.ts";

type Deps = { broker: Broker; maxMessageBytes: number };

/** `POST /topics` */
export function createTopic({ broker, maxMessageBytes }: Deps) {
  return async (request: Request): Promise<Response> => {
    const { name } = await readJson(request, createTopicBody, maxMessageBytes);
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

/** `DELETE /topics/{name}` */
export function deleteTopic({ broker }: Pick<Deps, "broker">) {
  return (request: Request): Response => {
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
