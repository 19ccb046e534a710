import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { history, problemOf, topicUrl } from "../support/answers.ts";
import { until } from "../support/stats.ts";
import { publish } from "../support/publish.ts";
import { startTestServer } from "../support/server.ts";

const BUDGET = 1_048_576;
const PAYLOAD = "x".repeat(20_000);
const ENV = { TOPICS: "t", MAX_HISTORY: "1000", UNREAD_ANSWER_BYTES: String(BUDGET), SEND_BUFFER_BYTES: "16384" };

/** A server with 2 MB of history, of which its clients may leave half unread. */
async function startFilled(env: Record<string, string> = {}) {
  const server = startTestServer({ ...ENV, ...env });
  for (let i = 0; i < 2; i++) await publish(server, "t", Array<string>(50).fill(PAYLOAD));
  return server;
}

/** A client that asks for history, and reads nothing of the answer until it is told to. */
class Unread implements Disposable {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;

  constructor({ port }: { port: number }) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.pause();
    this.#socket.on("error", () => {});
    this.#closed = new Promise((resolve) => this.#socket.on("close", () => resolve()));
    this.#socket.write("GET /topics/t/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  }

  /** Reads the answer to its end. Returns how long it was. */
  async read(): Promise<number> {
    let bytes = 0;
    this.#socket.on("data", (chunk: Buffer) => (bytes += chunk.byteLength));
    this.#socket.resume();
    await this.#closed;
    return bytes;
  }

  [Symbol.dispose](): void {
    this.#socket.resetAndDestroy();
  }
}

const ask = (server: { url: string }) => fetch(topicUrl(server, "t", "/messages"));

/** Leaves answers unread until one more is refused. */
async function fill(server: { port: number; url: string }) {
  const readers: Unread[] = [];
  let refused: Response | undefined;
  while (refused === undefined) {
    readers.push(new Unread(server));
    const response = await ask(server);
    if (response.ok) await response.arrayBuffer();
    else refused = response;
  }
  return { readers, refused };
}

async function untilAnswered(server: { url: string }): Promise<void> {
  await until(async () => {
    const { ok, body } = await ask(server);
    await body?.cancel();
    return ok;
  });
}

test("a page of history is no larger than a quarter of UNREAD_ANSWER_BYTES, and says that there is more", async () => {
  await using server = await startFilled();
  const got: number[] = [];
  for (let more: boolean | undefined = true; more === true;) {
    const response = await fetch(topicUrl(server, "t", `/messages?since=${got.at(-1) ?? 0}`));
    // The message that crosses the bound goes whole.
    expect(Number(response.headers.get("content-length"))).toBeLessThan(BUDGET / 4 + 2 * PAYLOAD.length);
    await response.body?.cancel();
    const page = await history(server, "t", `?since=${got.at(-1) ?? 0}`);
    got.push(...page.messages.map(({ seq }) => seq));
    more = page.more;
  }
  expect(got).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
});

test.each(["read", "hang up"] as const)(
  "answers that nobody reads fill UNREAD_ANSWER_BYTES, and one more is 429; once their clients %s there is room",
  async (way) => {
    await using server = await startFilled({ LOG_LEVEL: "warn" });
    const { readers, refused } = await fill(server);
    // Some of each the kernel has taken; all that wait are within the bound, so that it takes some more of them.
    expect(readers.length).toBeGreaterThan(2);
    const problem = await problemOf(refused);
    expect(problem).toMatchObject({ status: 429, code: "LIMIT_EXCEEDED" });
    expect(problem.detail).toContain(`UNREAD_ANSWER_BYTES is ${BUDGET}`);
    expect(server.lines).toContainEqual(expect.stringMatching(/ WARN .*limit reached.*UNREAD_ANSWER_BYTES is 1048576/));
    // What is small is answered all the same, and what is published goes on.
    expect((await fetch(`${server.url}/livez`)).status).toBe(200);
    await publish(server, "t", ["meanwhile"]);

    if (way === "hang up") for (const reader of readers) reader[Symbol.dispose]();
    else
      for (const bytes of await Promise.all(readers.map((reader) => reader.read()))) {
        // Each was answered whole, or refused itself.
        expect(bytes > BUDGET / 4 || bytes < 1000).toBe(true);
      }
    await untilAnswered(server);
    for (const reader of readers) reader[Symbol.dispose]();
  },
);
