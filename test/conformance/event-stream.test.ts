import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ID } from "../support/client.ts";
import { parseFrame } from "../support/frames.ts";
import { ResponseReader } from "../support/http-response.ts";
import { publishBody } from "../support/answers.ts";
import { createTopic, deleteTopic, startTestServer, type TestServer } from "../support/server.ts";
import { streamRequest } from "../support/sse-client.ts";
import { RawConnection } from "./raw.ts";

const BOM = "\uFEFF";

/** Payloads, as they are written, that a stream might break at. */
const PAYLOADS = [
  `"é€😀 \u2028\u2029\u0085 ${BOM}"`,
  `"\\r\\n\\u0000 id: x\\n\\ndata: y"`,
  `{\n"a":\r1,\r\n"b":\n\n\r\r2\n}`,
  `[\n ": no comment",\r\n "data: none" ]`,
];

let server: TestServer;
/** The head of a stream of the topic that the payloads were published to, and its body from beginning to end. */
let response: ResponseReader;
let body: string;

beforeAll(async () => {
  server = startTestServer({ HEARTBEAT_INTERVAL_MS: "20" });
  await createTopic(server, "t");
  for (const payload of PAYLOADS) await publishBody(server, "t", `{"id":"${ID}","payload":${payload}}`);
  await using connection = new RawConnection(server);
  connection.write(streamRequest({ topic: "t", query: { last_n: "100" } }));
  await connection.readUntil((received) => received.includes("no comment") && received.includes("\n: "));
  await deleteTopic(server, "t");
  const chunks: Buffer[] = [];
  response = new ResponseReader((chunk) => void chunks.push(chunk));
  response.push(await connection.readToEnd());
  body = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
});

/** Nothing that a client sends is a fault of the server. */
afterAll(async () => {
  expect(server.lines).toEqual([]);
  await server.stop();
});

describe("an event stream", () => {
  test("is of the type text/event-stream, not to be kept, and comes to a proper end (HTML §9.2.5, RFC 9112 §7.1)", () => {
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream(; ?charset=utf-8)?$/i);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.has("content-length")).toBe(false);
    expect(response.complete).toBe(true);
  });

  test("is UTF-8 without a byte order mark, of lines that are all fields or comments, in whole blocks (HTML §9.2.5)", () => {
    expect(body).not.toStartWith(BOM);
    expect(body).not.toContain("\r");
    expect(body).toEndWith("\n\n");
    for (const line of body.split("\n")) expect(line).toMatch(/^(|:.*|(event|id|data|retry): .*)$/su);
  });

  test("has payloads of any white space in data lines that together are the same JSON (HTML §9.2.6)", () => {
    const blocks = body.split("\n\n");
    const data = blocks.flatMap((block) => {
      const lines = block.split("\n").filter((line) => line.startsWith("data: "));
      return lines.length === 0 ? [] : [lines.map((line) => line.slice("data: ".length)).join("\n")];
    });
    const payloads = data.flatMap((text) => {
      const { message } = parseFrame(text);
      return message === undefined ? [] : [message];
    });
    expect(payloads).toEqual(PAYLOADS.map((payload) => ({ id: ID, payload: JSON.parse(payload) })));
  });

  test("has ids that a client can send back: of visible ASCII, with no NUL (HTML §9.2.6)", () => {
    const ids = [...body.matchAll(/^id:(.*)$/gm)].map(([, id]) => id);
    expect(ids).toHaveLength(1 + PAYLOADS.length);
    for (const id of ids) expect(id).toMatch(/^ [!-~]+$/);
  });

  test("has comments that are blocks of their own while it is quiet (HTML §9.2.7)", () => {
    expect(body.split("\n\n")).toContainEqual(expect.stringMatching(/^:[^\n]*$/));
  });

  test("takes an id of UTF-8, which a server of another kind may have given (HTML §9.2.4)", async () => {
    await createTopic(server, "foreign");
    await using connection = new RawConnection(server);
    connection.write(streamRequest({ topic: "foreign", lastEventId: "é€😀:1" }));
    const received = await connection.readUntil((received) => received.includes("\n\n"));
    expect(received.toString()).toStartWith("HTTP/1.1 200 ");
    expect(received.toString()).toContain('"recovered":false');
  });

  test("over HTTP/1.0 is the same without a coding, and ends with the connection (RFC 9112 §6.1)", async () => {
    await createTopic(server, "old");
    await using connection = new RawConnection(server);
    connection.write(streamRequest({ topic: "old" }).replace("HTTP/1.1", "HTTP/1.0"));
    await connection.readUntil((received) => received.includes("\n\n"));
    await deleteTopic(server, "old");
    const [head = "", ...blocks] = (await connection.readToEnd()).toString().split(/\r\n\r\n/);
    expect(head.toLowerCase()).not.toContain("transfer-encoding");
    expect(blocks.join()).toMatch(/^[a-z]+: .*\n/);
    expect(blocks.join()).toEndWith("\n\n");
  });
});
