import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { problemOf } from "../support/answers.ts";
import { createTopic, startTestServer, stats } from "../support/server.ts";

describe("AUTO_CREATE_TOPICS", () => {
  test.each([
    ["a null", "a%00b"],
    ["a line feed", "%0A"],
    ["a C1 control", "%C2%85"],
    ["256 bytes", "x".repeat(256)],
    ["256 bytes in 128 letters", "é".repeat(128)],
  ])("creates no topic over HTTP whose name cannot be one: %s", async (_what, encoded) => {
    await using server = startTestServer({ AUTO_CREATE_TOPICS: "true" });
    const url = `${server.url}/topics/${encoded}`;
    const answers = [
      await fetch(`${url}/messages`, { method: "POST", body: `{"payload":1}` }),
      await fetch(`${url}/events`),
    ];
    // Before their bodies, one of which never ends if it is a stream.
    expect(Object.keys(await stats(server))).toEqual([]);
    for (const answer of answers) expect([400, 404]).toContain((await problemOf(answer)).status);
  });
});

describe("a path with dots or backslashes", () => {
  /** Asks as a client does that sends the path as it is, and returns the status. */
  async function ask(server: { port: number }, method: string, path: string, body = ""): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = connect(server.port, "127.0.0.1");
    socket.once("data", (data) => resolve(String(data)));
    socket.once("error", reject);
    socket.write(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const [, status] = (await promise).split(" ");
    socket.destroy();
    return Number(status);
  }

  test.each([
    ["/topics/%2E/messages", "messages"],
    ["/topics/./messages", "messages"],
    ["/topics/a%5C../messages", "messages"],
    ["/topics/a\\b/messages", "a"],
    ["/topics/%2E%2E/messages", ""],
    ["/topics/../messages", ""],
  ])("publishes nothing to a topic that it does not name: %s", async (path, other) => {
    await using server = startTestServer({ AUTO_CREATE_TOPICS: "true" });
    if (other !== "") await createTopic(server, other);
    await ask(server, "POST", path, `{"payload":1}`);
    expect((await stats(server))[other]?.messages ?? 0).toBe(0);
  });

  test.each([".", ".."])("names the topic that is called so, unless there can be none: %s", async (name) => {
    await using server = startTestServer();
    const created = await fetch(`${server.url}/topics`, { method: "POST", body: JSON.stringify({ name }) });
    if (created.status === 400) return;
    const path = `/topics/${name.replaceAll(".", "%2E")}`;
    expect(await ask(server, "POST", `${path}/messages`, `{"payload":1}`)).toBe(200);
    expect(await stats(server)).toEqual({ [name]: { messages: 1, subscribers: 0 } });
    expect(await ask(server, "DELETE", path)).toBe(200);
    expect(await stats(server)).toEqual({});
  });
});

test.each([
  ["\uFFFD", "%EF%BF%BD"],
  ["a\uFFFD/", "a%ef%bf%bd%2F"],
])("a path names the topic that has the replacement character in its name: %j", async (name, encoded) => {
  await using server = startTestServer();
  await createTopic(server, name);
  const url = `${server.url}/topics/${encoded}/messages`;
  expect((await fetch(url, { method: "POST", body: `{"payload":1}` })).status).toBe(200);
  expect(await stats(server)).toEqual({ [name]: { messages: 1, subscribers: 0 } });
  const malformed = url.replace(/%ef%bf%bd/i, "%FF");
  expect([400, 404]).toContain(
    (await problemOf(await fetch(malformed, { method: "POST", body: `{"payload":1}` }))).status,
  );
  expect(await stats(server)).toEqual({ [name]: { messages: 1, subscribers: 0 } });
});
