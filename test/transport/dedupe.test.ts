import { describe, expect, test } from "bun:test";
import { range } from "../support/account.ts";
import { history, post, problemOf, publishBody } from "../support/answers.ts";
import { Client, ID } from "../support/client.ts";
import { createTopic, ENGINES, startTestServer } from "../support/server.ts";

const idOf = (n: number) => `${ID.slice(0, -2)}${String(n).padStart(2, "0")}`;
const messages = (numbers: readonly number[]) => numbers.map((n) => ({ id: idOf(n), payload: n }));

describe.each(Object.entries(ENGINES))("over an engine %s", (_kind, engine) => {
  test("what was published with dedupe is acked again as the first time, and not published", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await using subscriber = await Client.connect(server);
    await subscriber.subscribe("t", "s");
    const frame = { type: "publish", topic: "t", message: { id: ID, payload: 1 }, dedupe: true, request_id: 1 };
    const first = await client.ask(frame);
    expect(first).not.toHaveProperty("duplicate");
    const again = await client.ask({ ...frame, message: { id: ID.toUpperCase(), payload: 2 } });
    expect(again).toMatchObject({ ...first, duplicate: true });
    expect(await subscriber.settle()).toMatchObject([{ type: "event", seq: 1, message: { id: ID, payload: 1 } }]);
    expect((await history(server, "t")).messages).toHaveLength(1);
  });

  test("a batch publishes what is new in it, and one with nothing new is the batch of the first time", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    const publish = (numbers: readonly number[]) =>
      client.ask({ type: "publish", topic: "t", messages: messages(numbers), dedupe: true });
    expect(await publish([1, 2, 3])).toMatchObject({ first_seq: 1, seq: 3, count: 3 });
    expect(await publish([1, 2, 3])).toMatchObject({ first_seq: 1, seq: 3, count: 3, duplicate: true });
    const mixed = await publish([3, 4, 4, 5]);
    expect(mixed).toMatchObject({ first_seq: 4, seq: 5, count: 2 });
    expect(mixed).not.toHaveProperty("duplicate");
    expect((await history(server, "t")).messages.map(({ payload }) => payload)).toEqual(range(1, 5));
  });

  test("over HTTP it is the same, and shares what was published over WebSocket", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await client.ask({ type: "publish", topic: "t", message: { id: ID, payload: 1 }, dedupe: true });
    const again = await publishBody(server, "t", { id: ID, payload: 1, dedupe: true });
    expect(again).toMatchObject({ first_seq: 1, seq: 1, ids: [ID], duplicate: true });
    const batch = { messages: messages([1, 2]), dedupe: true };
    expect(await publishBody(server, "t", batch)).not.toHaveProperty("duplicate");
    expect(await publishBody(server, "t", batch)).toMatchObject({ first_seq: 2, seq: 3, duplicate: true });
  });

  test("without dedupe the same id is published again, on either side", async () => {
    await using server = startTestServer({}, engine);
    await createTopic(server, "t");
    const sole = { id: ID, payload: 1 };
    for (const [seq, dedupe] of [
      [1, true],
      [2, false],
      [3, undefined],
      [4, null],
    ] as const) {
      expect(await publishBody(server, "t", { ...sole, dedupe })).toMatchObject({ seq });
    }
    expect(await publishBody(server, "t", { ...sole, dedupe: true })).toMatchObject({ seq: 1, duplicate: true });
  });
});

test("a message that history has no more is published again", async () => {
  await using server = startTestServer({ MAX_HISTORY: "2" });
  await createTopic(server, "t");
  const publish = (n: number) => publishBody(server, "t", { id: idOf(n), payload: n, dedupe: true });
  for (const n of [1, 2, 3]) await publish(n);
  expect(await publish(2)).toMatchObject({ seq: 2, duplicate: true });
  expect(await publish(1)).toMatchObject({ seq: 4 });
});

test("a dedupe that is no boolean is refused, in a frame and in a body", async () => {
  await using server = startTestServer();
  await createTopic(server, "t");
  await using client = await Client.connect(server);
  const problem = "'dedupe' must be true or false";
  for (const given of [{ message: { id: ID, payload: 1 } }, { messages: messages([1]) }]) {
    const answer = await client.ask({ type: "publish", topic: "t", dedupe: "yes", ...given });
    expect(answer).toMatchObject({ type: "error", error: { code: "BAD_REQUEST", message: problem } });
  }
  for (const body of [
    { payload: 1, dedupe: 1 },
    { messages: messages([1]), dedupe: "yes" },
  ]) {
    expect(await problemOf(await post(server, "t", body))).toMatchObject({ code: "BAD_REQUEST", detail: problem });
  }
});
