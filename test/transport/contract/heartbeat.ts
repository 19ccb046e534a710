import { expect, test } from "bun:test";
import type { Transport } from "../../../src/protocol/frames.ts";
import { CLOSE } from "../../../src/protocol/codes.ts";
import { account } from "../../support/account.ts";
import { metrics, until } from "../../support/stats.ts";
import { goodbye } from "../../support/goodbye.ts";
import { startServerWithManualHeartbeat } from "../../support/heartbeat.ts";
import { overwhelm, publish } from "../../support/publish.ts";
import { createTopic, health, type EngineOver } from "../../support/server.ts";
import { Subscriber } from "../../support/subscriber.ts";

const GIVEN_UP = 'pubsub_connections_closed_total{side="server",cause="no sign of life"}';

export function heartbeatContract(transport: Transport, engine: EngineOver): void {
  test("a heartbeat reaches it, and what is published after it too", async () => {
    await using server = startServerWithManualHeartbeat({}, engine);
    await createTopic(server, "t");
    using subscriber = await Subscriber.open(server, transport, { topic: "t", clientId: "me" });
    expect(await subscriber.next()).toMatchObject({ kind: "subscribed" });
    // More of them than one without a sign of life would live to see.
    for (let n = 1; n <= 6; n++) {
      await server.heartbeat(subscriber);
      await publish(server, "t", [n]);
      expect(await subscriber.next()).toMatchObject({ kind: "event", seq: n, payload: n });
    }
  });

  test("a reader that stalls for good is given up at the third heartbeat without bytes moved, once", async () => {
    await using server = startServerWithManualHeartbeat({ LOG_LEVEL: "info" }, engine);
    await createTopic(server, "t");
    using healthy = await Subscriber.open(server, transport, { topic: "t", clientId: "healthy" });
    using stalled = await Subscriber.open(server, transport, { topic: "t", clientId: "stalled", stalled: true });
    // One that is behind itself is sent no comment.
    await healthy.takeUntil(await overwhelm(server, "t", "stalled"));
    await health(server);
    const givenUp = async () => {
      await server.heartbeat(healthy);
      return (await metrics(server)).get(GIVEN_UP);
    };
    expect([await givenUp(), await givenUp()]).toEqual([0, 0]);
    // At first its own system may still take some of what is on its way.
    let heartbeats = 2;
    while ((await givenUp()) === 0) expect(++heartbeats).toBeLessThan(6);
    expect([await givenUp(), await givenUp()]).toEqual([1, 1]);
    const lines = server.lines.filter((line) => line.includes("no sign of life"));
    expect(lines).toEqual([expect.stringMatching(/ WARN .*topic=t client_id=stalled$/)]);
    stalled.resume();
    expect(await stalled.ended).toEqual(goodbye(transport, CLOSE.noSignOfLife));
    account(stalled.received, 0);
    await until(async () => (await health(server)).subscribers === 1);
    await server.heartbeat(healthy);
    const { seq } = await publish(server, "t", ["after it"]);
    expect(await healthy.next()).toMatchObject({ kind: "event", seq });
  });

  test("a reader that is behind at each heartbeat, and reads between them, is not given up", async () => {
    await using server = startServerWithManualHeartbeat({}, engine);
    await createTopic(server, "t");
    using slow = await Subscriber.open(server, transport, { topic: "t", clientId: "slow", stalled: true });
    for (let heartbeats = 0; heartbeats < 4; heartbeats++) {
      const last = await overwhelm(server, "t", "slow");
      await server.heartbeat();
      slow.resume();
      await slow.takeUntil(last);
      slow.stall();
    }
    expect(slow.over).toBe(false);
    expect((await metrics(server)).get(GIVEN_UP)).toBe(0);
    expect(account(slow.received, 0).gaps).not.toEqual([]);
  });
}
