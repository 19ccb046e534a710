import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createTopic, startTestServer, type TestServer } from "../support/server.ts";
import { exchange, RawConnection, responsesOf, type RawResponse } from "./raw.ts";

let server: TestServer;

beforeAll(async () => {
  server = startTestServer({ MAX_MESSAGE_BYTES: "1000" });
  for (const name of ["t", "a/b", "a?b", "%41", "é"]) await createTopic(server, name);
});

/** Nothing that a client sends is a fault of the server. */
afterAll(async () => {
  expect(server.lines).toEqual([]);
  await server.stop();
});

/** A request; its fields, body and all that follows as they are. */
const request = (line: string, fields = "", body = "") =>
  `${line} HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}${fields === "" ? "" : "\r\n"}\r\n${body}`;

/** The last request of a connection. */
const last = request("GET /livez", "Connection: close");

/** What is answered to `requests` and the {@link last} one, which must be read as they were meant. */
async function ask(methods: string[], ...requests: string[]): Promise<RawResponse[]> {
  const responses = responsesOf(await exchange(server, `${requests.join("")}${last}`), methods);
  expect(responses.at(-1)).toMatchObject({ status: 200, body: '{"status":"ok"}' });
  return responses.slice(0, -1);
}

async function askOne(line: string, fields = "", body = ""): Promise<RawResponse> {
  const [response, ...others] = await ask([line.split(" ")[0] ?? ""], request(line, fields, body));
  if (response === undefined || others.length > 0) throw new Error("There is not one response");
  return response;
}

let made = 0;

/** A body that creates a topic of a name that no other test uses. */
const creation = () => `{"name":"made-${String(++made).padStart(12, "0")}"}`;
const SIZE = creation().length;
const HEX = SIZE.toString(16);
const CHUNKED = "Transfer-Encoding: chunked";

describe("a request that is not as HTTP/1.1 has it is answered 400, and no other after it", () => {
  const post = (fields: string, body: string) => request("POST /topics", fields, body);
  const whole = (size: string) => `${size}\r\n${creation()}\r\n0\r\n\r\n`;
  const chunked = (body: string, fields = CHUNKED) => post(fields, body);
  /** Between a 1 and {@link HEX} they make a number that is {@link SIZE} in its lowest 64 bits. */
  const ZEROS = "0".repeat(14);
  const get = (fields: string) => request("GET /livez", fields);
  for (const [what, sent] of [
    ["two different lengths (9112 §6.3)", post(`Content-Length: 1\r\nContent-Length: ${SIZE}`, creation())],
    ["a list of different lengths (9112 §6.3)", post(`Content-Length: 1, ${SIZE}`, creation())],
    ...["-1", `+${SIZE}`, `0x${HEX}`, "1e1", "", "a", "9".repeat(30)].map((length) => [
      `the length '${length}' (9112 §6.3)`,
      post(`Content-Length: ${length}`, creation()),
    ]),
    ["a length and a coding (9112 §6.3)", chunked(whole(HEX), `Content-Length: ${SIZE}\r\n${CHUNKED}`)],
    ["a coding that is not chunked in the end (9112 §6.3)", chunked("", `${CHUNKED}, gzip`)],
    ["an unknown coding (9112 §6.1)", chunked("", "Transfer-Encoding: xchunked")],
    ["a coding in HTTP/1.0 (9112 §6.1)", chunked(whole(HEX)).replace("HTTP/1.1", "HTTP/1.0")],
    ...["xyz", `-${HEX}`, `0x${HEX}`, "", `1${ZEROS}${HEX}`, `1${ZEROS}0${HEX}`, "f".repeat(40)].map((size) => [
      `the chunk size '${size}' (9112 §7.1)`,
      chunked(whole(size)),
    ]),
    ["a chunk that is longer than its size (9112 §7.1)", chunked(`${HEX}\r\n${creation()}XX0\r\n\r\n`)],
    ["a space before a colon (9112 §5.1)", get("Accept : a")],
    ["a tab before a colon (9112 §5.1)", get("Accept\t: a")],
    ["a folded line (9112 §5.2)", get("Accept: a\r\n b")],
    ["a line folded with a tab (9112 §5.2)", get("Accept: a\r\n\tb")],
    ["white space before the first field (9112 §2.2)", "GET /livez HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n"],
    ["a field without a colon (9112 §5)", get("Accept")],
    ...["", "Ac cept", "Acc(ept", "Accépt", "Acc\0ept"].map((name) => [
      `the field name ${JSON.stringify(name)} (9110 §5.1)`,
      get(`${name}: a`),
    ]),
    ["NUL in a field (9110 §5.5)", get("Accept: a\0b")],
    ["a lone CR in a field (9112 §2.2)", get("Accept: a\rb")],
  ].map(([what = "", sent = ""]) => [what, sent] as const)) {
    test(what, async () => {
      const responses = responsesOf(await exchange(server, `${sent}${last}`));
      expect(responses.map(({ status }) => status)).toEqual([400]);
    });
  }

  test.each([
    ["two hosts (9112 §3.2)", get("Host: elsewhere.example")],
    ["twice the same host (9112 §3.2)", get("Host: 127.0.0.1")],
  ])("%s", async (_, sent) => {
    const [response] = responsesOf(await exchange(server, `${sent}${last}`));
    expect(response?.status).toBe(400);
  });
});

describe("a body", () => {
  const chunk = (text: string, extension = "") => `${text.length.toString(16)}${extension}\r\n${text}\r\n`;
  const end = "0\r\n\r\n";
  const CAPITALS = `000${HEX.toUpperCase()}`;
  for (const [what, fields, body] of [
    ["of a length, with white space around it (9112 §5.1)", `Content-Length:\t ${SIZE} \t`, (text) => text],
    ["whose fields are in another case (9110 §5.1)", `cONTENT-lENGTH:${SIZE}`, (text) => text],
    ["in a chunk (9112 §7.1)", CHUNKED, (text) => chunk(text) + end],
    ["by a coding in another case (9112 §7)", CHUNKED.toUpperCase(), (text) => chunk(text) + end],
    ["in chunks of a byte (9112 §7.1)", CHUNKED, (text) => [...text].map((byte) => chunk(byte)).join("") + end],
    ["of a size with zeros, in capitals (9112 §7.1)", CHUNKED, (text) => `${CAPITALS}\r\n${text}\r\n00${end}`],
    ["with chunk extensions (9112 §7.1.1)", CHUNKED, (text) => `${chunk(text, ';a;b=c;d="e;f"')}0;g=h\r\n\r\n`],
  ] satisfies [string, string, (text: string) => string][]) {
    test(`${what} is read to its end`, async () => {
      expect((await askOne("POST /topics", fields, body(creation()))).status).toBe(201);
    });
  }

  for (const [what, line, status] of [
    ["of a GET", "GET /readyz", 200],
    ["of a HEAD", "HEAD /readyz", 200],
    ["of an OPTIONS", "OPTIONS /topics", 204],
    ["that nobody reads", "POST /livez", 405],
    ["for a path that is not there", "POST /nowhere", 404],
  ] as const) {
    test(`${what} is not taken for the next request (9112 §6.3)`, async () => {
      const smuggled = request("DELETE /topics/t");
      expect((await askOne(line, `Content-Length: ${smuggled.length}`, smuggled)).status).toBe(status);
      expect((await askOne(line, CHUNKED, chunk(smuggled) + end)).status).toBe(status);
    });
  }

  test("that is too large is not taken for the next request (9112 §6.3)", async () => {
    const smuggled = request("DELETE /topics/t").padEnd(100_000);
    expect((await askOne("POST /topics", `Content-Length: ${smuggled.length}`, smuggled)).status).toBe(413);
    expect((await askOne("POST /topics", CHUNKED, chunk(smuggled) + end)).status).toBe(413);
  });

  test("that is announced by 100-continue is asked for, and then read (9110 §10.1.1)", async () => {
    await using connection = new RawConnection(server);
    connection.write(request("POST /topics", `Content-Length: ${SIZE}\r\nExpect: 100-continue\r\nConnection: close`));
    await connection.readUntil((received) => received.includes("\r\n\r\n"));
    connection.write(creation());
    const responses = responsesOf(await connection.readToEnd());
    expect(responses.map(({ status }) => status)).toEqual([100, 201]);
  });
});

describe("a method", () => {
  for (const [line, allow] of [
    ["DELETE /livez", ["GET", "HEAD", "OPTIONS"]],
    ["PUT /topics", ["GET", "HEAD", "OPTIONS", "POST"]],
    ["PATCH /topics/t", ["DELETE", "GET", "HEAD", "OPTIONS"]],
    ["TRACE /topics/t/messages", ["GET", "HEAD", "OPTIONS", "POST"]],
    ["PROPFIND /topics/t/events", ["GET", "HEAD", "OPTIONS"]],
    ["POST /ws", ["GET", "HEAD", "OPTIONS"]],
  ] as const) {
    test(`${line} that the path does not take is answered 405 with Allow, as OPTIONS is 204 (9110 §9.3.7, §15.5.6)`, async () => {
      const allowed = (response: RawResponse) => response.headers.get("allow")?.split(/ *, */).sort();
      const refused = await askOne(line);
      expect(refused.status).toBe(405);
      expect(allowed(refused)).toEqual([...allow]);
      const options = await askOne(line.replace(/^\w+/, "OPTIONS"));
      expect(options.status).toBe(204);
      expect(allowed(options)).toEqual([...allow]);
      for (const name of ["content-length", "transfer-encoding"]) expect(options.headers.has(name)).toBe(false);
    });
  }

  test.each(["get", "Get", "GETS", "FOO"])(
    "%s is not taken for GET, nor is its path served (9110 §9.1)",
    async (method) => {
      const received = await exchange(server, request(`${method} /livez`, "Connection: close"));
      expect(received.toString()).not.toContain(" 200 ");
    },
  );

  const HEAD_PATHS = ["/livez", "/topics", "/topics/t", "/topics/t/messages", "/nowhere", "/topics/nowhere", "/ws"];
  test.each(HEAD_PATHS)("HEAD of %s is answered as GET without the body (9110 §8.6, §9.3.2)", async (path) => {
    const head = await askOne(`HEAD ${path}`);
    const get = await askOne(`GET ${path}`);
    expect(head.status).toBe(get.status);
    for (const { headers } of [head, get]) headers.delete("date");
    expect(head.headers.toJSON()).toEqual(get.headers.toJSON());
  });

  test("HEAD of an event stream does not tell of a length that GET has not (9110 §8.6)", async () => {
    const [head] = responsesOf(await exchange(server, request("HEAD /topics/t/events", "Connection: close")), ["HEAD"]);
    expect(head?.status).toBe(200);
    expect(head?.headers.has("content-length")).toBe(false);
  });
});

describe("a response", () => {
  const RESPONSES = [
    [200, "GET /livez"],
    [201, "POST /topics", true],
    [204, "OPTIONS /livez"],
    [400, "POST /topics"],
    [404, "GET /nowhere"],
    [405, "DELETE /livez"],
    [426, "GET /ws"],
  ] as const;
  const DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

  for (const [status, line, full = false] of RESPONSES) {
    test(`of ${status} has one date, in the form that HTTP has (9110 §5.6.7, §6.6.1)`, async () => {
      const response = await (full ? askOne(line, `Content-Length: ${SIZE}`, creation()) : askOne(line));
      expect(response.status).toBe(status);
      expect(response.headers.get("date")).toMatch(DATE);
    });
  }

  test.each(["HEAD /livez", "HEAD /nowhere"])("to %s has a date (9110 §6.6.1)", async (line) => {
    expect((await askOne(line)).headers.get("date")).toMatch(DATE);
  });

  test("of 426 names the protocol, also as a connection option (9110 §7.8, §15.5.22)", async () => {
    const { status, headers } = await askOne("GET /ws");
    expect(status).toBe(426);
    expect(headers.get("upgrade")?.toLowerCase()).toBe("websocket");
    expect(headers.get("connection")?.toLowerCase()).toBe("upgrade");
  });

  test("switches to no protocol that the server does not speak (9110 §7.8)", async () => {
    const { status, headers } = await askOne("GET /livez", "Connection: Upgrade\r\nUpgrade: h2c, websocket");
    expect(status).toBe(200);
    expect(headers.has("upgrade")).toBe(false);
  });

  test("to more fields than the server reads is of the class 4xx (9110 §5.4)", async () => {
    const [response] = responsesOf(await exchange(server, request("GET /livez", `Accept: ${"a".repeat(20_000)}`)));
    expect(response?.status).toBeWithin(400, 500);
  });

  test("to If-Match of no entity tag of the topic is 412, and it lives (9110 §13.1.1)", async () => {
    await createTopic(server, "matched");
    expect((await askOne("DELETE /topics/matched", 'If-Match: "other"')).status).toBe(412);
    expect((await askOne("GET /topics/matched")).status).toBe(200);
  });

  test("to If-None-Match of anything is 304 where there is something (9110 §13.1.2)", async () => {
    expect((await askOne("GET /topics/t", "If-None-Match: *")).status).toBe(304);
  });
});

describe("a connection", () => {
  test("has its responses in the order of its requests (9112 §9.3.2)", async () => {
    const lines = ["GET /readyz", "HEAD /topics", "GET /nowhere", "OPTIONS /livez", "DELETE /livez", "GET /topics/t"];
    const creating = request("POST /topics", `Content-Length: ${SIZE}`, creation());
    const methods = ["POST", ...lines.map((line) => line.split(" ")[0] ?? "")];
    const responses = await ask(methods, creating, ...lines.map((line) => request(line)));
    expect(responses.map(({ status }) => status)).toEqual([201, 200, 200, 404, 204, 405, 200]);
  });

  for (const option of ["close", "CLOSE", "x-other, close", "x-other\r\nconnection: close"]) {
    test(`that is to end by ${JSON.stringify(option)} does, and serves no request after it (9112 §9.6)`, async () => {
      for (const line of ["GET /livez", "HEAD /livez", "OPTIONS /livez", "GET /nowhere", "DELETE /livez"]) {
        const sent = request(line, `Connection: ${option}`) + request("DELETE /topics/t");
        expect(responsesOf(await exchange(server, sent), [line.split(" ")[0] ?? ""])).toHaveLength(1);
        expect((await askOne("GET /topics/t")).status).toBe(200);
      }
    });
  }

  test("of HTTP/1.0 without keep-alive ends after one response (9112 §9.3)", async () => {
    const received = await exchange(server, request("GET /livez").replace("HTTP/1.1", "HTTP/1.0") + last);
    expect(responsesOf(received).map(({ status }) => status)).toEqual([200]);
  });
});

describe("a request target", () => {
  for (const [target, status, topic] of [
    ["http://127.0.0.1/livez", 200],
    ["HTTP://127.0.0.1/livez", 200],
    ["http://127.0.0.1/topics/a%2Fb", 200, "a/b"],
    ["/livez?", 200],
    ["/LIVEZ", 404],
    ["/topics/%C3%A9", 200, "é"],
    ["/topics/%c3%a9", 200, "é"],
    ["/topics/%74", 200, "t"],
    ["/topics/a%2Fb", 200, "a/b"],
    ["/topics/a%2fb", 200, "a/b"],
    ["/topics/a/b", 404],
    ["/topics/a%3Fb", 200, "a?b"],
    ["/topics/%2541", 200, "%41"],
    ["/topics/%41", 404],
    ["/topics/%", 400],
    ["/topics/a%2", 400],
    ["/topics/%zz", 400],
    ["/topics/%FF", 400],
    ["/topics/t/messages?%6Cast_n=%31", 200, "t"],
    ["/topics/t/messages?%6Cast_n=x", 400],
    ["/topics/t/messages?last_n=1%26last_n=2", 400],
  ] as const) {
    const named = topic === undefined ? "" : ` for the topic '${topic}'`;
    test(`${target} is answered ${status}${named} (9112 §3.2, 3986 §2)`, async () => {
      const response = await askOne(`GET ${target}`);
      expect(response.status).toBe(status);
      if (topic !== undefined) expect(JSON.parse(response.body)).toMatchObject({ topic });
    });
  }
});
