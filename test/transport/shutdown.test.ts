import { expect, test } from "bun:test";
import { CLOSE } from "../../src/protocol/codes.ts";
import { makeRegistry } from "../support/make-registry.ts";

const LONG = 3_600_000;

const GOODBYE = ["server_shutdown"];

function setUp(maxConnections = 9) {
  const { broker, ...peers } = makeRegistry({ maxConnections });
  const publish = (count: number) => {
    const messages = Array.from({ length: count }, () => ({ id: crypto.randomUUID(), payload: "1" }));
    broker.publish("t", messages);
    broker.flush();
  };
  return { broker, ...peers, publish };
}

/** Whether `promise` has been settled by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

test("Shutdown.run says goodbye to all who were sent everything, and resolves once they are gone", async () => {
  const { registry, connect, shutdown } = setUp();
  const [one, two] = [connect(), connect()];
  await shutdown.run(LONG);
  for (const client of [one, two]) expect([client.story, client.closed]).toEqual([GOODBYE, CLOSE.shuttingDown]);
  expect(registry.count("websocket")).toBe(0);
});

test("Shutdown.run resolves at once where nobody is connected", async () => {
  await setUp().shutdown.run(LONG);
});

test("Shutdown.run waits for one who is blocked until all that is queued for it was sent", async () => {
  const { broker, registry, connect, shutdown, publish } = setUp();
  const client = connect();
  broker.subscribe(client.session, "t", "me");
  client.room = 0;
  publish(3);
  const stopped = shutdown.run(LONG);
  expect(client.story).toEqual([]);

  // It takes some, and is blocked again.
  client.room = 2;
  registry.drained(client);
  expect([client.story, client.closed]).toEqual([["1", "2"], undefined]);
  expect(await settled(stopped)).toBe(false);

  client.room = 2;
  registry.drained(client);
  expect(client.story).toEqual(["1", "2", "3", "topic_deleted", ...GOODBYE]);
  expect(client.closed).toBe(CLOSE.shuttingDown);
  await stopped;
});

test("Shutdown.run does not wait for one who hangs up", async () => {
  const { registry, connect, shutdown } = setUp();
  const client = connect();
  client.room = 0;
  const stopped = shutdown.run(LONG);
  expect(await settled(stopped)).toBe(false);
  registry.gone(client, "hung up");
  await stopped;
  expect(client.story).toEqual([]);
});

test("Shutdown.run tells one who is still blocked at the end of the grace what it lost, and waits no longer", async () => {
  const { broker, connect, shutdown, publish } = setUp();
  const client = connect();
  broker.subscribe(client.session, "t", "me");
  client.room = 0;
  publish(3);
  await shutdown.run(1);
  expect(client.story).toEqual(["1-3", "topic_deleted", ...GOODBYE]);
  expect(client.closed).toBe(CLOSE.shuttingDown);
});

test("PeerRegistry counts one that is gone twice only once, and gives its place to another", () => {
  const { broker, registry, connect } = setUp(2);
  const [one, two] = [connect(), connect()];
  broker.subscribe(one.session, "t", "one");
  broker.subscribe(two.session, "t", "two");
  expect(() => registry.checkRoom(undefined)).toThrow("MAX_CONNECTIONS is 2");
  registry.gone(one, "hung up");
  registry.gone(one, "hung up");
  expect([registry.count("websocket"), registry.count("sse"), broker.stats.subscriptions]).toEqual([1, 0, 1]);
  registry.checkRoom(undefined);
});
