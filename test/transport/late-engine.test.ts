import { expect, test } from "bun:test";
import { connect } from "node:net";
import { LateEngine } from "../support/late-engine.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { startTestServer } from "../support/server.ts";
import { streamRequest } from "../support/sse-client.ts";
import { post, problemOf, topicUrl } from "../support/answers.ts";
import { metrics, until } from "../support/stats.ts";
import { turn } from "../support/turn.ts";

test("a stream that is given up while the engine is asked leaves nothing behind", async () => {
  const random = new Random(seedOfRun());
  await using server = startTestServer({ TOPICS: "t" }, (memory) => new LateEngine(memory, random));
  for (let i = 0; i < 200; i++) {
    const socket = connect(server.port, "127.0.0.1");
    await new Promise<void>((resolve) => socket.on("connect", resolve));
    socket.write(streamRequest({ topic: "t", query: { client_id: `client ${i}` } }));
    for (let turns = random.int(6); turns > 0; turns--) await turn();
    socket.resetAndDestroy();
  }
  await until(async () => {
    const found = await metrics(server);
    return found.get("pubsub_subscriptions") === 0 && found.get('pubsub_connections{transport="sse"}') === 0;
  });
  expect(server.lines).toEqual([]);
});

test("an engine that is away is told as UNAVAILABLE, over HTTP and to one that comes back to a stream", async () => {
  await using server = startTestServer({ TOPICS: "t" }, (memory) => new LateEngine(memory, new Random(1), 1));
  const problem = await problemOf(await post(server, "t", { payload: 1 }));
  expect(problem).toMatchObject({ status: 503, code: "UNAVAILABLE" });
  const first = await fetch(topicUrl(server, "t", "/events"));
  expect(await problemOf(first)).toMatchObject({ status: 503, code: "UNAVAILABLE" });
  const again = await fetch(topicUrl(server, "t", "/events?since=e:1"));
  expect(again.status).toBe(200);
  expect(await again.text()).toMatch(/^retry: \d+\nevent: error\ndata: .*"code":"UNAVAILABLE"/);
});
