import { expect, test } from "bun:test";
import type { Transport } from "../../../src/protocol/frames.ts";
import { CLOSE } from "../../../src/protocol/codes.ts";
import { account, range } from "../../support/account.ts";
import { metrics, untilNothingIsLeft } from "../../support/stats.ts";
import { goodbye } from "../../support/goodbye.ts";
import { overwhelm, publish } from "../../support/publish.ts";
import type { Received } from "../../support/received.ts";
import { createTopic, deleteTopic, type EngineOver, health, startTestServer } from "../../support/server.ts";
import { Subscriber } from "../../support/subscriber.ts";

const DELETED: Received = { kind: "info", msg: "topic_deleted", topic: "t" };
const STOPPED: Received = { ...DELETED, reason: "shutdown" };
const SHUTDOWN: Received = { kind: "info", msg: "server_shutdown" };
/** Longer than any test: what is published stays queued until something else sends it. */
const NEVER = "60000";

export function endingsContract(transport: Transport, engine: EngineOver): void {
  test("a deleted topic: what is queued, then that it is deleted, then the end", async () => {
    await using server = startTestServer({ FLUSH_INTERVAL_MS: NEVER }, engine);
    await createTopic(server, "t");
    using subscriber = await Subscriber.open(server, transport, { topic: "t", clientId: "me" });
    await publish(server, "t", [1, 2, 3]);
    expect(await subscriber.next()).toMatchObject({ kind: "subscribed", seq: 0 });
    await deleteTopic(server, "t");
    expect(await subscriber.ended).toEqual(goodbye(transport, CLOSE.topicDeleted));
    const rest = await subscriber.rest();
    expect(account(rest, 0).seqs).toEqual([1, 2, 3]);
    // Without a reason: only a shutdown has one.
    expect(rest.slice(3)).toEqual([transport === "sse" ? { ...DELETED, lastEventId: expect.any(String) } : DELETED]);
  });

  test("a deleted topic: a stalled reader is told what it was not sent, once it reads", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    using stalled = await Subscriber.open(server, transport, { topic: "t", clientId: "me", stalled: true });
    const last = await overwhelm(server, "t", "me");
    await deleteTopic(server, "t");
    expect(await health(server)).toMatchObject({ topics: 0, subscribers: 0 });
    stalled.resume();
    expect(await stalled.ended).toEqual(goodbye(transport, CLOSE.topicDeleted));
    expect(account(stalled.received, 0).gaps.at(-1)?.[1]).toBe(last);
    expect(stalled.received.slice(-2)).toMatchObject([{ kind: "gap" }, DELETED]);
    expect(server.lines).toEqual([]);
  });

  test("a shutdown: what is queued, that the topic is deleted, goodbye, then the end", async () => {
    const server = startTestServer({ FLUSH_INTERVAL_MS: NEVER, SHUTDOWN_GRACE_MS: NEVER }, engine);
    await createTopic(server, "t");
    using subscriber = await Subscriber.open(server, transport, { topic: "t", clientId: "me" });
    await publish(server, "t", [1, 2, 3]);
    expect(await subscriber.next()).toMatchObject({ kind: "subscribed", seq: 0 });
    await server.stop();
    expect(await subscriber.ended).toEqual(goodbye(transport, CLOSE.shuttingDown));
    const rest = await subscriber.rest();
    expect(account(rest, 0).seqs).toEqual([1, 2, 3]);
    const [deleted, farewell, ...more] = rest.slice(3);
    expect([deleted, farewell]).toMatchObject([STOPPED, SHUTDOWN]);
    expect(more).toEqual([]);
    expect(farewell?.kind === "info" && farewell.retry_after_ms).toBeWithin(1000, 3001);
    expect(server.lines).toEqual([]);
  });

  test("a shutdown waits for a stalled reader, who gets all that was queued once it reads", async () => {
    const server = startTestServer({ SHUTDOWN_GRACE_MS: NEVER }, engine);
    await createTopic(server, "t");
    using stalled = await Subscriber.open(server, transport, { topic: "t", clientId: "stalled", stalled: true });
    using healthy = await Subscriber.open(server, transport, { topic: "t", clientId: "healthy" });
    const last = await overwhelm(server, "t", "stalled");
    const stopped = server.stop();
    expect(await healthy.ended).toEqual(goodbye(transport, CLOSE.shuttingDown));
    expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
    using late = await Subscriber.open(server, transport, { topic: "t", clientId: "late" });
    expect(late.received).toMatchObject(transport === "sse" ? [{ kind: "refused", status: 503 }] : []);
    // A browser's EventSource comes back only from a 200, and after a restart it shall.
    const since = { epoch: "e", seq: 1 };
    using back = await Subscriber.open(server, transport, { topic: "t", clientId: "back", since });
    expect(back.received).toMatchObject(transport === "sse" ? [{ kind: "refused", code: "SHUTTING_DOWN" }] : []);
    expect(await back.ended).toEqual(transport === "sse" ? { how: "ended" } : { how: "cut" });
    stalled.resume();
    expect(await stalled.ended).toEqual(goodbye(transport, CLOSE.shuttingDown));
    const { seqs, gaps } = account(stalled.received, 0);
    expect(gaps).not.toEqual([]);
    expect(seqs.slice(-50)).toEqual(range(last - 49, last));
    expect(stalled.received.slice(-2)).toMatchObject([STOPPED, SHUTDOWN]);
    await stopped;
  });

  test("a shutdown does not wait longer than the grace for one who never reads", async () => {
    const server = startTestServer({ SHUTDOWN_GRACE_MS: "100" }, engine);
    await createTopic(server, "t");
    using stalled = await Subscriber.open(server, transport, { topic: "t", clientId: "stalled", stalled: true });
    using healthy = await Subscriber.open(server, transport, { topic: "t", clientId: "healthy" });
    const last = await overwhelm(server, "t", "stalled");
    await server.stop();
    await expect(fetch(`${server.url}/livez`)).rejects.toThrow();
    expect(account(healthy.received, 0)).toEqual({ seqs: range(1, last), gaps: [] });
    expect(healthy.received.at(-1)).toMatchObject(SHUTDOWN);
    expect(await healthy.ended).toEqual(goodbye(transport, CLOSE.shuttingDown));
    stalled.resume();
    await stalled.ended;
    account(stalled.received, 0);
    expect(server.lines).toEqual([]);
  });

  test("a deleted topic: one who never reads is gone when CLOSE_GRACE_MS is over, and counted once", async () => {
    await using server = startTestServer({ CLOSE_GRACE_MS: "200", LOG_LEVEL: "debug" }, engine);
    await createTopic(server, "t");
    using stalled = await Subscriber.open(server, transport, { topic: "t", clientId: "me", stalled: true });
    await overwhelm(server, "t", "me");
    await deleteTopic(server, "t");
    const connections = `pubsub_connections{transport="${transport}"}`;
    expect((await metrics(server)).get(connections)).toBe(1);
    await untilNothingIsLeft(server, []);
    const closed = 'pubsub_connections_closed_total{side="server",cause="topic deleted"}';
    expect((await metrics(server)).get(closed)).toBe(1);
    const lines = server.lines.filter((line) => line.includes("closed before it had read everything"));
    expect(lines).toEqual([expect.stringContaining("CLOSE_GRACE_MS is over")]);
    stalled.resume();
    await stalled.ended;
    account(stalled.received, 0);
  });
}
