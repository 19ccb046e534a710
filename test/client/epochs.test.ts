import { describe, expect, test } from "bun:test";
import { connect, type Item } from "../../src/client/index.ts";
import { until } from "../support/stats.ts";
import { FakeServer } from "./fake-server.ts";

const QUICK = { backoff: { firstMs: 10, mostMs: 50 } };

/** An item, in short. */
function told(item: Item): string {
  if (item.type === "event") return `${item.epoch}:${item.seq}`;
  return `${item.epoch}:${item.first_seq}-${item.last_seq} ${item.reason} ${item.status}`;
}

const changed = (topic: string, epoch: string, seq: number) => ({
  type: "info",
  msg: "epoch_changed",
  topic,
  epoch,
  seq,
});

describe("A subscription whose topic begins a new epoch", () => {
  test("goes on after a gap of which nobody knows the end, and resumes in the new epoch", async () => {
    await using server = new FakeServer();
    const client = connect<{ t: number }>(server.url, QUICK);
    const items: string[] = [];
    const states: string[] = [];
    const note = (item: Item) => items.push(told(item));
    const subscription = client.subscribe("t", {
      onEvent: note,
      onGap: note,
      onState: (state) => states.push(state),
    });
    const first = await server.next("subscribe");
    // It is not subscribed yet, so this is about somebody else.
    server.send(changed("t", "e0", 50));
    server.ack(first, { epoch: "e1", seq: 98, replay: 0 });
    for (const seq of [99, 100]) server.event("t", seq);
    server.send(changed("t", "e2", 90));
    server.send(changed("other", "e3", 1));
    for (const seq of [91, 92, 92, 95]) server.event("t", seq);
    await until(async () => items.includes("e2:95"));
    expect(items).toEqual([
      "e1:99",
      "e1:100",
      "e1:101-undefined epoch missing",
      "e2:91",
      "e2:92",
      "e2:93-94 skipped missing",
      "e2:95",
    ]);
    expect(subscription.position).toEqual({ epoch: "e2", seq: 95 });
    expect(states).toEqual(["live"]);
    server.cut();
    const again = await server.next("subscribe");
    expect(again.since).toEqual({ epoch: "e2", seq: 95 });
    server.ack(again, { epoch: "e2", seq: 96, replay: 1, recovered: true });
    server.event("t", 96);
    await until(async () => items.at(-1) === "e2:96");
    expect(items).toHaveLength(8);
    await client.close();
  });

  test("resumes in the new epoch even if nothing has come of it, and tells of each that was begun", async () => {
    await using server = new FakeServer();
    const client = connect(server.url, QUICK);
    const items: string[] = [];
    const note = (item: Item) => items.push(told(item));
    const subscription = client.subscribe("t", { onEvent: note, onGap: note });
    server.ack(await server.next("subscribe"), { epoch: "e1", seq: 0, replay: 0 });
    server.send(changed("t", "e2", 0));
    server.send(changed("t", "e3", 7));
    await until(async () => items.length === 2);
    expect(items).toEqual(["e1:1-undefined epoch missing", "e2:1-undefined epoch missing"]);
    // What its user keeps is of the last item: whoever begins there is told of the end of that epoch.
    expect(subscription.position).toEqual({ epoch: "e2", seq: 0 });
    server.cut();
    expect((await server.next("subscribe")).since).toEqual({ epoch: "e3", seq: 7 });
    await client.close();
  });

  test.each([
    ["nothing of it", 90, ["e2:91"]],
    ["some of it, since history has lost that", 80, ["e2:81-90 missed missing", "e2:91"]],
    ["all before what history has, if it began with message 1", undefined, ["e2:1-90 missed missing", "e2:91"]],
  ])("while it was away is told that it has missed %s", async (_, base, expected) => {
    await using server = new FakeServer();
    const client = connect(server.url, QUICK);
    const items: string[] = [];
    const note = (item: Item) => items.push(told(item));
    client.subscribe("t", { onEvent: note, onGap: note });
    server.ack(await server.next("subscribe"), { epoch: "e1", seq: 100, replay: 0 });
    server.cut();
    const again = await server.next("subscribe");
    expect(again.since).toEqual({ epoch: "e1", seq: 100 });
    server.ack(again, { epoch: "e2", base, seq: 91, replay: 1, recovered: false });
    server.event("t", 91);
    await until(async () => items.includes("e2:91"));
    expect(items).toEqual(["e1:101-undefined epoch missing", ...expected]);
    await client.close();
  });

  test("ends the repair of a gap of the old one as lost, and hands out everything in order", async () => {
    const asked: string[] = [];
    const answers = [problem(503, "UNAVAILABLE"), problem(503, "UNAVAILABLE"), problem(410, "EPOCH_OVER")];
    await using server = new FakeServer((url) => {
      asked.push(url.searchParams.get("since") ?? "");
      return answers.shift() ?? new Response("no", { status: 404 });
    });
    const client = connect<{ t: number }>(server.url, QUICK);
    const subscription = client.subscribe("t", { repair: true });
    server.ack(await server.next("subscribe"), { epoch: "e1", seq: 0, replay: 0 });
    for (const seq of [1, 5]) server.event("t", seq);
    server.send(changed("t", "e2", 3));
    server.event("t", 4);
    const items: string[] = [];
    for await (const item of subscription) {
      items.push(told(item));
      if (items.at(-1) === "e2:4") break;
    }
    expect(items).toEqual(["e1:1", "e1:2-4 skipped lost", "e1:5", "e1:6-undefined epoch missing", "e2:4"]);
    expect(asked).toEqual(["e1:1", "e1:1", "e1:1"]);
    await client.close();
  });
});

function problem(status: number, code: string): Response {
  return Response.json(
    { type: "about:blank", status, title: code, detail: code, code },
    { status, headers: { "content-type": "application/problem+json" } },
  );
}
