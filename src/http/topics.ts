import type { Authenticator } from "../auth/authenticator.ts";
import { may, type Grant } from "../auth/permissions.ts";
import type { Engine } from "../engine/engine.ts";
import { readCreateTopic, readNoQuery, readTopicQuery } from "../protocol/http.ts";
import { SUBSCRIBERS_PAGE } from "../protocol/schema.ts";
import { checkStill } from "./access.ts";
import { checked, readText, type BodyDeps } from "./body.ts";
import { queryOf, topicOf, type RoutedRequest } from "./topic-path.ts";

type Deps = BodyDeps & { auth: Authenticator; engine: Engine };

/** `POST /topics` */
export function createTopic({ auth, engine, ...body }: Deps) {
  return async (request: Request, _server: unknown, grant: Grant | undefined): Promise<Response> => {
    checked(readNoQuery(queryOf(request)));
    const { name } = checked(readCreateTopic(await readText(request, body)));
    checkStill(auth, grant, "admin");
    await engine.createTopic(name);
    return Response.json({ status: "created", topic: name }, { status: 201 });
  };
}

/** `GET /topics`: all topics for an admin, for others those that they may subscribe to. */
export function listTopics({ engine }: Pick<Deps, "engine">) {
  return async (request: Request, _server: unknown, grant: Grant | undefined): Promise<Response> => {
    checked(readNoQuery(queryOf(request)));
    const topics = await engine.listTopics();
    const shown = topics.filter(({ name }) => may(grant, "admin") || may(grant, "subscribe", name));
    return Response.json({ topics: shown.map(({ name, subscribers }) => ({ name, subscribers })) });
  };
}

/** `GET /topics/{name}` */
export function showTopic({ engine }: Pick<Deps, "engine">) {
  return async (request: RoutedRequest): Promise<Response> => {
    const { limit = SUBSCRIBERS_PAGE, after } = checked(readTopicQuery(queryOf(request)));
    const name = topicOf(request);
    const detail = await engine.topicDetail(name, { limit, after });
    const { epoch, seq, oldestSeq, bytes, ledger, total, subscribers, unanswered } = detail;
    return Response.json({
      topic: name,
      epoch,
      seq,
      oldest_seq: oldestSeq,
      history: { messages: seq - oldestSeq + 1, bytes },
      ledger,
      subscribers_total: total,
      subscribers: subscribers.map(({ clientId, connectedAt, ...subscriber }) => {
        return { client_id: clientId, ...subscriber, connected_since: new Date(connectedAt).toISOString() };
      }),
      unanswered,
    });
  };
}

/** `DELETE /topics/{name}` */
export function deleteTopic({ engine }: Pick<Deps, "engine">) {
  return async (request: RoutedRequest): Promise<Response> => {
    checked(readNoQuery(queryOf(request)));
    const name = topicOf(request);
    await engine.deleteTopic(name);
    return Response.json({ status: "deleted", topic: name });
  };
}

/** `GET /stats` */
export function stats({ engine }: Pick<Deps, "engine">) {
  return async (request: Request): Promise<Response> => {
    checked(readNoQuery(queryOf(request)));
    const topics = await engine.listTopics();
    const entries = topics.map(({ name, seq, subscribers }) => [name, { messages: seq, subscribers }] as const);
    return Response.json({ topics: Object.fromEntries(entries) });
  };
}
