import type { PubSubError } from "../client/index.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit.ts";
import { Failure, Interrupted } from "./failure.ts";
import { Patience } from "./patience.ts";
import { Publisher, PUBLISHER_LIMITS, type Acked } from "./publisher.ts";
import type { RawClient, Server } from "./server.ts";

/** How long publishes wait for a connection that was lost, or for a server that cannot publish, in seconds. */
const PATIENCE_S = 30;

/** What publishes waited for has not come in time. */
export class GaveUp extends Failure {}

/** What publishes: a client that is connected, where to, and for whom. */
export type Publishing = {
  readonly client: RawClient;
  readonly server: Server;
  readonly context: Context;
  /** To be called with each ack: the server can publish. */
  acked(): void;
};

/**
 * Connects, does the work and closes. A connection that is lost and not made again in time ends it, as does a server that
 * cannot publish for as long.
 */
export async function withClient<T>(
  server: Server,
  context: Context,
  work: (publishing: Publishing) => Promise<T>,
): Promise<T> {
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {});
  const connection = new Patience(1000 * PATIENCE_S, lost.reject);
  const ack = new Patience(1000 * PATIENCE_S, lost.reject);
  const client = await server.connect({
    ...PUBLISHER_LIMITS,
    onConnection: (isThere) => {
      if (isThere) connection.end();
      else connection.begin(new GaveUp(`The connection to ${server.url} was lost, and not made again in time`));
    },
    onUnavailable: ({ message }: PubSubError) => {
      context.note(`pubsub: Waiting to publish: ${message}`);
      ack.begin(new GaveUp(`${server.url} could not publish for ${PATIENCE_S} s: ${message}`));
    },
  });
  // An interrupted client closes, too. What was under way is counted before that is said.
  void client.closed.then((cause) => cause !== undefined && lost.reject(server.failure(cause)));
  try {
    return await Promise.race([work({ client, server, context, acked: () => ack.end() }), lost.promise]);
  } catch (cause) {
    if (context.signal.aborted && !(cause instanceof Interrupted)) throw new Interrupted();
    throw server.failure(cause);
  } finally {
    connection.end();
    ack.end();
    await client.close();
  }
}

/**
 * Publishes what `feed` hands to a {@link Publisher}, and waits for all acks. `feed` stops when the publisher's `signal`
 * is aborted.
 *
 * @throws {Failure} that names the first that failed; {@link Interrupted} with how many were acked
 */
export async function publishAll(
  { client, server, context, acked: noteAck }: Publishing,
  acked: Acked,
  feed: (publisher: Publisher) => Promise<void>,
): Promise<number> {
  let count = 0;
  const publisher = new Publisher(client, context.signal, (one) => {
    count++;
    noteAck();
    acked(one);
  });
  await feed(publisher);
  await publisher.settled();
  if (context.signal.aborted) throw new Interrupted(`Interrupted; ${count} messages were published and acked`);
  const { failed } = publisher;
  if (failed === undefined) return count;
  const failure = server.failure(failed.cause, failed.publish.topic);
  const exitCode = failure instanceof Failure ? failure.exitCode : EXIT.failed;
  throw new Failure(`${failed.publish.name}: ${failure.message}`, exitCode);
}
