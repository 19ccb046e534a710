import { afterAll, describe, expect, test } from "bun:test";
import { RawConnection } from "../conformance/raw.ts";
import { startTestServer } from "../support/server.ts";

const server = startTestServer({ TOPICS: "t" });
afterAll(() => server.stop());

const BODY = `{"payload":1}`;

/** Each route, with what it answers to a request like any other. */
const requests: [line: string, body: string, status: number][] = [
  ["GET /topics", "", 200],
  ["GET /topics/t", "", 200],
  ["GET /topics/t/messages", "", 200],
  ["GET /topics/t/messages?since=0", "", 200],
  ["GET /topics/none/messages", "", 404],
  ["GET /topics/t/events?last_n=0", "", 200],
  ["HEAD /topics/t/events", "", 200],
  ["GET /topics/none/events?since=1", "", 200],
  ["GET /health", "", 200],
  ["GET /stats", "", 200],
  ["GET /metrics", "", 200],
  ["GET /livez", "", 200],
  ["GET /readyz", "", 200],
  ["GET /ws", "", 426],
  ["GET /nowhere", "", 404],
  ["OPTIONS /topics", "", 204],
  ["PUT /topics", BODY, 405],
  ["POST /topics", `{"name":"t"}`, 409],
  ["POST /topics/t/messages", BODY, 200],
  ["DELETE /topics/none", "", 404],
];

/** The status of the first response, of which no more is read: a stream has no end. */
async function statusOf(bytes: string): Promise<number> {
  await using connection = new RawConnection(server);
  connection.write(bytes);
  const head = await connection.readUntil((received) => received.includes("\r\n\r\n"));
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(head.toString("latin1"))?.[1]);
}

const LENGTH = (body: string) => (body === "" ? "" : `Content-Length: ${body.length}\r\n`);

describe("a request whose Host", () => {
  test("is as it should be is answered as the table says", async () => {
    for (const [line, body, status] of requests) {
      expect(await statusOf(`${line} HTTP/1.1\r\nHost: x\r\n${LENGTH(body)}\r\n${body}`), line).toBe(status);
    }
  });

  for (const [what, version, field] of [
    ["is missing, as it may in HTTP/1.0", "1.0", ""],
    ["is missing", "1.1", ""],
    ["is empty", "1.1", "Host:\r\n"],
    ["is empty in HTTP/1.0", "1.0", "Host:\r\n"],
    ["has a port that cannot be", "1.1", "Host: h:99999\r\n"],
    ["has a port that is no number", "1.1", "Host: h:http\r\n"],
    ["has a space in it", "1.1", "Host: a b\r\n"],
    ["is half an address", "1.1", "Host: [::\r\n"],
    ["has a path", "1.1", "Host: a/b?c#d\r\n"],
    ["is not ASCII", "1.1", "Host: \xe9\xff\r\n"],
    ["is a percent sign", "1.1", "Host: %\r\n"],
    ["is longer than a name may be", "1.1", `Host: ${"x".repeat(5000)}\r\n`],
  ] as const) {
    test(`${what} is served all the same, or is a 400`, async () => {
      for (const origin of ["", "Origin: http://h\r\n"]) {
        for (const [line, body, status] of requests) {
          const answered = await statusOf(`${line} HTTP/${version}\r\n${field}${origin}${LENGTH(body)}\r\n${body}`);
          // The page of a host that cannot be told from it is of another.
          expect(origin === "" ? [400, status] : [400, 403, status], `${line} ${origin}`).toContain(answered);
        }
      }
      expect(server.lines).toEqual([]);
    });
  }

  test("is missing in HTTP/1.0 is served: a probe need not send one", async () => {
    for (const path of ["/livez", "/readyz", "/health", "/metrics"]) {
      expect(await statusOf(`GET ${path} HTTP/1.0\r\n\r\n`)).toBe(200);
    }
  });
});
