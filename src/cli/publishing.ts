import type { Context } from "./context.ts";
import { EXIT } from "./exit.ts";
import { Failure, Interrupted } from "./failure.ts";
import { Publisher, PUBLISHER_LIMITS, type Acked } from "./publisher.ts";
import type { RawClient, Server } from "./server.ts";

/** How long publishes wait for a connection that was lost, in milliseconds. */
const LOST_MS = 30_000;

export class ConnectionLost extends Failure {}

/** Connects, does the work and closes. A connection that is lost and not made again in time ends it. */
export async function withClient<T>(
  server: Server,
  context: Context,
  work: (client: RawClient) => Promise<T>,
): Promise<T> {
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {});
  let timer: ReturnType<typeof setTimeout> | undefined;
  const client = await server.connect({
    ...PUBLISHER_LIMITS,
    onConnection: (isThere) => {
      clearTimeout(timer);
      const problem = new ConnectionLost(`The connection to ${server.url} was lost, and not made again in time`);
      if (!isThere) timer = setTimeout(() => lost.reject(problem), LOST_MS);
    },
  });
  // An interrupted client closes, too. What was under way is counted before that is said.
  void client.closed.then((cause) => cause !== undefined && lost.reject(server.failure(cause)));
  try {
    return await Promise.race([work(client), lost.promise]);
  } catch (cause) {
    if (context.signal.aborted && !(cause instanceof Interrupted)) throw new Interrupted();
    throw server.failure(cause);
  } finally {
    clearTimeout(timer);
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
  { client, server, context }: { client: RawClient; server: Server; context: Context },
  acked: Acked,
  feed: (publisher: Publisher) => Promise<void>,
): Promise<number> {
  let count = 0;
  const publisher = new Publisher(client, context.signal, (one) => {
    count++;
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
