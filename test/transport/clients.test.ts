import { expect, test } from "bun:test";
import { Broker } from "../../src/broker/broker.ts";
import { Logger } from "../../src/ops/logger.ts";
import { Metrics } from "../../src/ops/metrics.ts";
import { CLOSE } from "../../src/protocol/codes.ts";
import { FakeClient, makeClients } from "../support/clients.ts";
import { LIMITS } from "../support/limits.ts";
import { brokerPorts } from "../support/broker-ports.ts";

const LONG = 3_600_000;

const log = new Logger("error", "text", (line) => {
  throw new Error(line);
});
const GOODBYE = ["server_shutdown"];

function setUp(maxConnections = 9) {
  const metrics = new Metrics();
  const broker = new Broker(LIMITS, brokerPorts({ metrics }));
  const clients = makeClients({ broker, metrics, log, maxConnections });
  const publish = (count: number) => {
    const messages = Array.from({ length: count }, () => ({ id: crypto.randomUUID(), payload: "1" }));
    broker.publish("t", messages, "now");
    broker.flush();
  };
  return { broker, clients, publish };
}

/** Whether `promise` has been settled by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

test("Clients.stop says goodbye to all who were sent everything, and resolves once they are gone", async () => {
  const { clients } = setUp();
  const [one, two] = [new FakeClient(clients), new FakeClient(clients)];
  await clients.stop(LONG);
  for (const client of [one, two]) expect([client.story, client.closed]).toEqual([GOODBYE, CLOSE.shuttingDown]);
  expect(clients.count("websocket")).toBe(0);
});

test("Clients.stop resolves at once where nobody is connected", async () => {
  await setUp().clients.stop(LONG);
});

test("Clients.stop waits for one who is blocked until all that is queued for it was sent", async () => {
  const { broker, clients, publish } = setUp();
  const client = new FakeClient(clients);
  broker.subscribe(client.connection, "t", "me");
  client.room = 0;
  publish(3);
  const stopped = clients.stop(LONG);
  expect(client.story).toEqual([]);

  // It takes some, and is blocked again.
  client.room = 2;
  clients.drained(client);
  expect([client.story, client.closed]).toEqual([["1", "2"], undefined]);
  expect(await settled(stopped)).toBe(false);

  client.room = 2;
  clients.drained(client);
  expect(client.story).toEqual(["1", "2", "3", "topic_deleted", ...GOODBYE]);
  expect(client.closed).toBe(CLOSE.shuttingDown);
  await stopped;
});

test("Clients.stop does not wait for one who hangs up", async () => {
  const { clients } = setUp();
  const client = new FakeClient(clients);
  client.room = 0;
  const stopped = clients.stop(LONG);
  expect(await settled(stopped)).toBe(false);
  clients.gone(client, "hung up");
  await stopped;
  expect(client.story).toEqual([]);
});

test("Clients.stop tells one who is still blocked at the end of the grace what it lost, and waits no longer", async () => {
  const { broker, clients, publish } = setUp();
  const client = new FakeClient(clients);
  broker.subscribe(client.connection, "t", "me");
  client.room = 0;
  publish(3);
  await clients.stop(1);
  expect(client.story).toEqual(["1-3", "topic_deleted", ...GOODBYE]);
  expect(client.closed).toBe(CLOSE.shuttingDown);
});

test("Clients counts one that is gone twice only once, and gives its place to another", () => {
  const { broker, clients } = setUp(2);
  const [one, two] = [new FakeClient(clients), new FakeClient(clients)];
  broker.subscribe(one.connection, "t", "one");
  broker.subscribe(two.connection, "t", "two");
  expect(() => clients.checkRoom()).toThrow("MAX_CONNECTIONS is 2");
  clients.gone(one, "hung up");
  clients.gone(one, "hung up");
  expect([clients.count("websocket"), clients.count("sse"), broker.subscriptions]).toEqual([1, 0, 1]);
  clients.checkRoom();
});
