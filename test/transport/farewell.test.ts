import { expect, test } from "bun:test";
import { CLOSE } from "../../src/protocol/codes.ts";
import { ID } from "../support/client.ts";
import { topicDetail } from "../support/answers.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTopic, deleteTopic, startTestServer } from "../support/server.ts";

/** One who is subscribed to `gone` and to others, sees `gone` deleted, and then publishes on `kept`. */
async function publishAfterDeletion(others: readonly string[]) {
  await using server = startTestServer();
  for (const topic of ["gone", "kept", ...others]) await createTopic(server, topic);
  const raw = await RawClient.connect(server);
  const topics = ["gone", ...others];
  for (const topic of topics) raw.send({ type: "subscribe", topic, client_id: "me" });
  await raw.readUntil(({ length }) => length === topics.length);
  await deleteTopic(server, "gone");
  raw.send({ type: "publish", topic: "kept", message: { id: ID, payload: 1 }, request_id: "late" });
  const answered = () => raw.frames.some(({ request_id }) => request_id === "late");
  await raw.readUntil(() => raw.close !== undefined || answered());
  const { seq } = await topicDetail(server, "kept");
  raw.cut();
  return { close: raw.close, answered: answered(), seq };
}

test("a request of one whose connection is to be closed is neither done nor acknowledged", async () => {
  expect(await publishAfterDeletion([])).toEqual({ close: CLOSE.topicDeleted, answered: false, seq: 0 });
});

test("a request of one who has lost a subscription and holds another is done", async () => {
  expect(await publishAfterDeletion(["other"])).toEqual({ close: undefined, answered: true, seq: 1 });
});
