import type { Authenticator } from "../auth/authenticator.ts";
import type { Grant } from "../auth/permissions.ts";
import type { Engine } from "../engine/engine.ts";
import { encodeHistory, type Published } from "../protocol/encode.ts";
import { readHistoryQuery, readMessages, readNoQuery } from "../protocol/http.ts";
import type { Publication } from "../protocol/messages.ts";
import { traceparentIn } from "../protocol/trace.ts";
import { networkOf } from "../ops/client-address.ts";
import type { PublishLimits } from "../ops/publish-limits.ts";
import type { AddressOf } from "./client.ts";
import { checkStill } from "./access.ts";
import { checked, readText, type BodyDeps } from "./body.ts";
import { readSlowly, type LargeAnswers, type Watched } from "./large-answers.ts";
import { queryOf, topicOf, type RoutedRequest } from "./topic-path.ts";

type Deps = BodyDeps & {
  auth: Authenticator;
  engine: Engine;
  answers: LargeAnswers;
  publishLimits: PublishLimits;
  addressOf: AddressOf;
};

/** The most history in one answer, in UTF-16 code units of events. The event that crosses it still goes whole. */
export const HISTORY_PAGE_BYTES = 8 * 1024 * 1024;

/** `POST /topics/{name}/messages` */
export function publishMessages({ auth, engine, publishLimits, addressOf, ...body }: Omit<Deps, "answers">) {
  return async (request: RoutedRequest, server: Watched, grant: Grant | undefined): Promise<Response> => {
    checked(readNoQuery(queryOf(request)));
    const network = networkOf(addressOf(request, server) ?? "");
    const name = topicOf(request);
    readSlowly(request, server);
    const read = checked(readMessages(await readText(request, body), Bun.randomUUIDv7));
    const publication = { ...read, traceparent: traceparentIn(request.headers) };
    checkStill(auth, grant, "publish", name);
    publishLimits.check(network, publication.messages);
    const { text, first, seq, duplicate } = await publish(engine, name, publication);
    const ids = publication.messages.map(({ id }) => id);
    const place = { epoch: text.epoch, first_seq: first, seq, ...(duplicate && { duplicate }) };
    return Response.json({ status: "ok", topic: name, ...place, ids });
  };
}

async function publish(engine: Engine, name: string, publication: Publication): Promise<Published> {
  let published: Published | undefined;
  await engine.publish(name, publication, (placed) => (published = placed));
  if (published === undefined) throw new Error("The engine has settled a publish that it did not accept");
  return published;
}

/** `GET /topics/{name}/messages` */
export function readHistory({ engine, answers }: Pick<Deps, "engine" | "answers">) {
  return async (request: RoutedRequest, server: Watched): Promise<Response> => {
    const query = checked(readHistoryQuery(queryOf(request)));
    const most = Math.min(HISTORY_PAGE_BYTES, answers.largest);
    const history = await engine.history(topicOf(request), { ...query, most });
    answers.checkRoom(server, history.size);
    const headers = { "content-type": "application/json;charset=utf-8" };
    return answers.answer(request, server, encodeHistory(history), headers);
  };
}
