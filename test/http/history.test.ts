import { describe, expect, test } from "bun:test";
import { LargeAnswers } from "../../src/http/large-answers.ts";
import { HISTORY_PAGE_BYTES, readHistory } from "../../src/http/messages.ts";
import { range } from "../support/account.ts";
import { LIMITS, makeBroker } from "../support/make-broker.ts";
import { ANSWERS } from "../../src/protocol/sent-schema.ts";
import { history, jsonOf, problemOf, publishBody, topicUrl } from "../support/answers.ts";
import { ID } from "../support/client.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTopic, deleteTopic, startTestServer } from "../support/server.ts";
import { AnswerBudget } from "../../src/ops/answer-budget.ts";

const payloadsOf = ({ messages }: { messages: readonly { payload?: unknown }[] }) =>
  messages.map(({ payload }) => payload);

/** A server whose topic "t" has published the payloads 1 to `count`. */
async function published(count: number, env: Record<string, string> = {}) {
  const server = startTestServer(env);
  await createTopic(server, "t");
  const messages = range(1, count).map((payload) => ({ payload }));
  const { epoch } = count === 0 ? await history(server, "t") : await publishBody(server, "t", { messages });
  return Object.assign(server, { epoch });
}

describe("GET /topics/{name}/messages", () => {
  const windows: [string, number[]][] = [
    ["", range(4, 8)],
    ["?", range(4, 8)],
    ["?last_n=0", []],
    ["?last_n=1", [8]],
    ["?last_n=2", [7, 8]],
    ["?last_n=5", range(4, 8)],
    ["?last_n=6", range(4, 8)],
    ["?last_n=999999999999999", range(4, 8)],
    ["?last_n=&since=&until=", range(4, 8)],
    ["?since=0", range(4, 8)],
    ["?since=3", range(4, 8)],
    ["?since=4", range(5, 8)],
    ["?since=7", [8]],
    ["?since=8", []],
    ["?since=9", []],
    ["?since=999999999999999", []],
    ["?since=0&until=0", []],
    ["?since=0&until=3", []],
    ["?since=0&until=4", [4]],
    ["?since=4&until=6", [5, 6]],
    ["?since=5&until=5", []],
    ["?since=6&until=2", []],
    ["?since=6&until=7", [7]],
    ["?since=6&until=8", [7, 8]],
    ["?since=6&until=999999999999999", [7, 8]],
    ["?until=6&since=5", [6]],
    ["?since=8&until=9", []],
  ];

  test("has the window that was asked for, of what history holds", async () => {
    await using server = await published(8, { MAX_HISTORY: "5" });
    for (const [query, seqs] of windows) {
      const { epoch, messages, ...rest } = await history(server, "t", query);
      expect(rest, query).toEqual({ topic: "t", oldest_seq: 4, seq: 8 });
      expect(epoch).toBe(server.epoch);
      expect(
        messages.map(({ seq }) => seq),
        query,
      ).toEqual(seqs);
      expect(payloadsOf({ messages }), query).toEqual(seqs);
    }
  });

  test("has the same window where its epoch is named", async () => {
    await using server = await published(8, { MAX_HISTORY: "5" });
    for (const [query, seqs] of windows) {
      const named = `${query === "" ? "?" : query}&epoch=${server.epoch}`;
      expect(payloadsOf(await history(server, "t", named)), named).toEqual(seqs);
    }
  });

  test("never has more than MAX_HISTORY, whatever else waits for slow subscribers, down to none", async () => {
    await using server = await published(8, { MAX_HISTORY: "0" });
    for (const query of ["", "?last_n=3", "?since=0", "?since=7", "?since=0&until=8"]) {
      expect(await history(server, "t", query), query).toEqual({
        topic: "t",
        epoch: server.epoch,
        oldest_seq: 9,
        seq: 8,
        messages: [],
      });
    }
  });

  test("has what memory leaves of it", async () => {
    const payload = "x".repeat(1000);
    await using server = startTestServer({ HISTORY_MEMORY_BYTES: "10000" });
    await createTopic(server, "t");
    for (let i = 0; i < 30; i++) await publishBody(server, "t", { payload });
    const { oldest_seq, seq, messages } = await history(server, "t", "?since=0");
    expect(oldest_seq).toBeGreaterThan(20);
    expect(seq).toBe(30);
    expect(messages.map((message) => message.seq)).toEqual(range(oldest_seq, 30));
  });

  test("of a topic to which nothing was published is empty", async () => {
    await using server = await published(0);
    for (const query of ["", "?last_n=3", "?since=0", "?since=3", "?since=0&until=0"]) {
      expect(await history(server, "t", query)).toMatchObject({ oldest_seq: 1, seq: 0, messages: [] });
    }
  });

  test.each([
    ["?last_n=1&since=1", "'since' and 'last_n' exclude each other"],
    ["?until=1", "'until' is for use with 'since'"],
    ["?last_n=1&until=1", "'until' is for use with 'since'"],
    ["?last_n=-1", "'last_n' must be an integer of 0 or more"],
    ["?last_n=all", "'last_n' must be an integer of 0 or more"],
    ["?since=1.5", "'since' must be a position, EPOCH:SEQ, or a SEQ of the present epoch"],
    ["?since=%20", "'since' must be a position, EPOCH:SEQ, or a SEQ of the present epoch"],
    ["?since=0&until=1e3", "'until' must be an integer of 0 or more"],
  ])("refuses %s", async (query, detail) => {
    await using server = await published(1);
    const response = await fetch(topicUrl(server, "t", `/messages${query}`));
    expect(await problemOf(response)).toMatchObject({ status: 400, code: "BAD_REQUEST", detail });
  });

  test("of a topic that does not exist answers 404", async () => {
    await using server = startTestServer();
    expect(await problemOf(await fetch(topicUrl(server, "none", "/messages?last_n=1")))).toMatchObject({
      status: 404,
      code: "TOPIC_NOT_FOUND",
      detail: "Topic 'none' not found",
    });
  });

  test("of another epoch answers 410, whatever window is asked for with it", async () => {
    await using server = await published(3);
    const { epoch: old } = server;
    await deleteTopic(server, "t");
    await createTopic(server, "t");
    const { epoch } = await publishBody(server, "t", { payload: "new" });
    expect(epoch).not.toBe(old);
    for (const query of [
      `?epoch=${old}`,
      `?since=1&epoch=${old}`,
      `?last_n=1&epoch=${old}`,
      "?epoch=x",
      "?epoch=%00",
    ]) {
      const problem = await problemOf(await fetch(topicUrl(server, "t", `/messages${query}`)));
      expect(problem).toMatchObject({ status: 410, title: "Gone", code: "EPOCH_OVER" });
      expect(problem.detail).toContain(epoch);
    }
    expect(payloadsOf(await history(server, "t", `?epoch=${epoch}`))).toEqual(["new"]);
    expect(payloadsOf(await history(server, "t", "?epoch="))).toEqual(["new"]);
  });

  test("to HEAD answers the same, without a body", async () => {
    await using server = await published(3);
    const url = topicUrl(server, "t", "/messages?last_n=2");
    const head = await fetch(url, { method: "HEAD" });
    const text = await jsonOf(await fetch(url));
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(head.headers.get("content-length")).toBe(String(Buffer.byteLength(text)));
  });

  test("ends a page with the message that crosses its bound, and says whether there is more", async () => {
    const limits = { ...LIMITS, maxHistory: 1000, maxSubscriberQueue: 1, historyMemoryBytes: Number.POSITIVE_INFINITY };
    const broker = makeBroker({ limits });
    const payload = JSON.stringify("é".repeat(500_000));
    const page = Math.ceil(HISTORY_PAGE_BYTES / payload.length);
    const count = 2 * page - 3;
    broker.now = new Date(0).toISOString();
    broker.publish(
      "t",
      range(1, count).map(() => ({ id: ID, payload })),
    );
    const answer = readHistory({ engine: broker.engine, answers: new LargeAnswers(new AnswerBudget(1e9)) });
    const bun = { timeout: () => {}, requestIP: () => null };
    const numbers = async (query: string) => {
      const request = new Request(`http://localhost/topics/t/messages${query}`);
      const response = await answer(Object.assign(request, { params: { name: "t" } }), bun);
      const text = await response.text();
      const {
        messages,
        more = false,
        seq,
      } = ANSWERS["GET /topics/:name/messages"].parse(JSON.parse(text.replaceAll(payload, "1")));
      expect(seq).toBe(count);
      expect(payloadsOf({ messages })).toEqual(messages.map(() => 1));
      return { seqs: messages.map((message) => message.seq), more };
    };

    expect(await numbers("")).toEqual({ seqs: range(1, page), more: true });
    expect(await numbers(`?since=0&until=${page}`)).toEqual({ seqs: range(1, page), more: false });
    expect(await numbers(`?since=0&until=${page + 1}`)).toEqual({ seqs: range(1, page), more: true });
    expect(await numbers(`?last_n=${page}`)).toEqual({ seqs: range(count + 1 - page, count), more: false });
    expect(await numbers(`?last_n=${page + 1}`)).toEqual({ seqs: range(count - page, count - 1), more: true });
    expect(await numbers(`?since=${page}`)).toEqual({ seqs: range(page + 1, count), more: false });
  });

  test("of more than a page comes whole over HTTP, page by page", async () => {
    const payload = "x".repeat(1_000_000);
    const count = Math.ceil(HISTORY_PAGE_BYTES / payload.length) + 1;
    await using server = startTestServer({ MAX_HISTORY: String(count) });
    await createTopic(server, "t");
    for (let i = 0; i < count; i++) await publishBody(server, "t", { payload });
    const got: number[] = [];
    let pages = 0;
    for (let more: boolean | undefined = true; more === true; pages++) {
      const next = await history(server, "t", `?since=${got.at(-1) ?? 0}`);
      expect(next.messages.every((message) => message.payload === payload)).toBe(true);
      got.push(...next.messages.map(({ seq }) => seq));
      more = next.more;
    }
    expect({ got, pages }).toEqual({ got: range(1, count), pages: 2 });
  });
});

test("a gap that a slow consumer is told of can be fetched from history, exactly", async () => {
  await using server = startTestServer({ MAX_HISTORY: "1000", MAX_SUBSCRIBER_QUEUE: "5" });
  await createTopic(server, "t");
  const slow = await RawClient.subscribe(server, "slow");
  const padding = "x".repeat(150_000);
  for (let i = 0; i < 20; i++) {
    await publishBody(server, "t", { messages: range(1, 6).map((part) => ({ payload: [6 * i + part, padding] })) });
  }
  const frames = await slow.readUntil((all) => all.at(-1)?.seq === 120);
  const gaps = frames.flatMap(({ error }) => (error === undefined ? [] : [error]));
  expect(gaps.length).toBeGreaterThan(0);

  const got = frames.flatMap(({ type, seq = 0 }) => (type === "event" ? [seq] : []));
  const epoch = String(frames[0]?.epoch);
  for (const { code, first_seq = 0, last_seq = 0, dropped } of gaps) {
    expect(code).toBe("SLOW_CONSUMER");
    for (let since = first_seq - 1; since < last_seq;) {
      const { messages } = await history(server, "t", `?since=${since}&until=${last_seq}&epoch=${epoch}`);
      for (const { seq, payload } of messages) {
        expect(payload).toEqual([seq, padding]);
        got.push(seq);
      }
      since = messages.at(-1)?.seq ?? Number.POSITIVE_INFINITY;
    }
    expect(dropped).toBe(last_seq - first_seq + 1);
  }
  expect(got.toSorted((a, b) => a - b)).toEqual(range(1, 120));
  slow.cut();
});
