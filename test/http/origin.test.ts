import { describe, expect, test } from "bun:test";
import { originPolicy, type Allowed } from "../../src/http/origin.ts";
import { problemOf } from "../support/answers.ts";
import { Client } from "../support/client.ts";
import { startTestServer } from "../support/server.ts";

const LIST = ["https://app.example", "http://localhost:3000", "capacitor://localhost", "chrome-extension://AbCdEf"];

function allowedTo(
  origin: string | undefined,
  host: string | undefined,
  list?: readonly string[],
  asksForCredential = true,
): Allowed {
  const headers = new Headers();
  if (origin !== undefined) headers.set("origin", origin);
  if (host !== undefined) headers.set("host", host);
  return originPolicy(list, asksForCredential)(new Request("http://server/", { headers }));
}

describe("an origin", () => {
  const own: [origin: string, host: string][] = [
    ["http://example.com", "example.com"],
    ["https://example.com", "example.com"],
    ["http://EXAMPLE.com:80", "example.com"],
    ["http://example.com", "EXAMPLE.COM:80"],
    ["https://example.com:443", "Example.com"],
    ["https://example.com", "example.com:443"],
    ["HTTP://example.com", "example.com"],
    ["http://example.com:8000", "example.com:8000"],
    ["https://example.com:8000", "EXAMPLE.com:8000"],
    ["http://[::1]:8000", "[::1]:8000"],
    ["http://[::1]", "[::1]:80"],
    ["https://[::1]:443", "[::1]"],
    ["http://[2001:DB8::1]", "[2001:db8:0::1]"],
    ["http://127.0.0.1:8000", "127.0.0.1:8000"],
  ];
  test.each(own)("%s is the own one of the host %s, whatever the list says", (origin, host) => {
    for (const list of [undefined, [], LIST, ["*"]]) {
      expect(allowedTo(origin, host, list), JSON.stringify(list)).toBe("with credentials");
    }
  });

  test.each(own)(
    "%s is the own one of the host %s where no credential is asked for only if no name can be meant",
    (origin, host) => {
      const isAddress = /^https?:\/\/(\[|\d)/i.test(origin);
      for (const list of [undefined, [], LIST]) {
        expect(allowedTo(origin, host, list, false)).toBe(isAddress ? "with credentials" : "no");
      }
      expect(allowedTo(origin, host, ["*"], false)).toBe(isAddress ? "with credentials" : "yes");
      expect(allowedTo(origin, host, [origin], false)).toBe("with credentials");
    },
  );

  test("of localhost is the own one, whether or not a credential is asked for", () => {
    for (const asks of [true, false]) {
      expect(allowedTo("http://localhost:8000", "localhost:8000", [], asks)).toBe("with credentials");
      expect(allowedTo("http://app.localhost", "app.localhost", [], asks)).toBe("with credentials");
      expect(allowedTo("http://localhost.example", "localhost.example", [], asks)).toBe(
        asks ? "with credentials" : "no",
      );
    }
  });

  test.each([
    ["an image of another site", "cross-site", "no-cors", "/topics/t/events", "no"],
    ["a frame of another site that asks for a stream", "cross-site", "navigate", "/topics/t/events", "no"],
    ["a link from another site", "cross-site", "navigate", "/topics", "with credentials"],
    ["an address typed by a person", "none", "navigate", "/topics/t/events", "with credentials"],
    ["a page of its own", "same-origin", "cors", "/topics/t/events", "with credentials"],
    ["an image of another port of this host", "same-site", "no-cors", "/topics/t/events", "no"],
    ["no browser", undefined, undefined, "/topics/t/events", "with credentials"],
  ] as const)("that is absent, of %s: %s, %s, %s", (_what, site, mode, path, allowed) => {
    const headers = new Headers({ host: "127.0.0.1" });
    if (site !== undefined) headers.set("sec-fetch-site", site);
    if (mode !== undefined) headers.set("sec-fetch-mode", mode);
    expect(originPolicy([])(new Request(`http://127.0.0.1${path}`, { headers }))).toBe(allowed);
    expect(originPolicy(["*"])(new Request(`http://127.0.0.1${path}`, { headers }))).toBe("with credentials");
  });

  test("that is absent, of a browser that asks for a name which may be any page's: only where a credential is needed", () => {
    const browser = { "user-agent": "Mozilla/5.0 (X11; Linux)", "accept-language": "en" };
    const ask = (host: string, headers: Record<string, string>, asks = false, list: string[] = []) =>
      originPolicy(list, asks)(new Request("http://127.0.0.1/topics", { headers: { host, ...headers } }));
    for (const headers of [browser, { "user-agent": "Mozilla/5.0" }, { "accept-language": "de" }]) {
      expect(ask("evil.example:8000", headers)).toBe("no");
      expect(ask("evil.example:8000", headers, true)).toBe("with credentials");
      expect(ask("app.example", headers, false, ["https://app.example"])).toBe("with credentials");
      for (const host of ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"]) {
        expect(ask(host, headers)).toBe("with credentials");
      }
    }
    for (const headers of [{}, { "user-agent": "curl/8" }, { "accept-language": "*" }]) {
      expect(ask("pubsub:8000", headers)).toBe("with credentials");
    }
  });

  const other: [origin: string, host: string | undefined][] = [
    ["http://example.com:8001", "example.com:8000"],
    ["http://example.com:8000", "example.com"],
    ["http://example.com", "example.com:8000"],
    ["http://example.com:443", "example.com"],
    ["https://example.com:80", "example.com"],
    ["http://other.example", "example.com"],
    ["http://example.com.other.example", "example.com"],
    ["http://sub.example.com", "example.com"],
    ["http://[::1]:8001", "[::1]:8000"],
    ["http://[::2]", "[::1]"],
    ["http://localhost:8000", "127.0.0.1:8000"],
    ["capacitor://example.com", "example.com:8000"],
    ["null", "example.com"],
    ["null", "null"],
    ["", "example.com"],
    ["example.com", "example.com"],
    ["nonsense", "example.com"],
    ["file://", "example.com"],
    ["file://", ""],
    ["http://example.com", undefined],
    ["http://example.com", ""],
    ["http://example.com", "h:99999"],
    ["http://example.com", "a b"],
    ["http://example.com", "[::"],
    ["http://example.com", "x@example.com:8000"],
  ];
  test.each(other)("%j is another than that of the host %j: refused, save where all may", (origin, host) => {
    for (const list of [undefined, [], LIST]) expect(allowedTo(origin, host, list), JSON.stringify(list)).toBe("no");
    expect(allowedTo(origin, host, ["*"])).toBe("yes");
  });

  const named: [origin: string, list: string][] = [
    ["https://app.example", "https://app.example"],
    ["https://app.example", "https://APP.example:443"],
    ["https://APP.example:443", "https://app.example"],
    ["http://app.example", "HTTP://app.example:80"],
    ["http://localhost:3000", "http://localhost:3000"],
    ["http://[::1]:3000", "http://[0::1]:3000"],
    ["capacitor://localhost", "capacitor://localhost"],
    ["capacitor://localhost", "Capacitor://LOCALHOST"],
    ["chrome-extension://abcdef", "chrome-extension://AbCdEf"],
    ["tauri://localhost", "tauri://localhost"],
  ];
  test.each(named)("%s is allowed where %s is named", (origin, entry) => {
    for (const list of [[entry], ["https://b.example", entry], ["*", entry]]) {
      expect(allowedTo(origin, "server.example", list)).toBe("with credentials");
    }
  });

  test.each([
    ["http://app.example", "https://app.example"],
    ["https://app.example:8443", "https://app.example"],
    ["https://app.example", "https://app.example:80"],
    ["https://app.example.org", "https://app.example"],
    ["https://x.app.example", "https://app.example"],
    ["capacitor://localhost:1", "capacitor://localhost"],
    ["http://localhost", "capacitor://localhost"],
    ["chrome-extension://abcdefg", "chrome-extension://abcdef"],
    ["null", "https://app.example"],
  ])("%s is not the one that is named as %s", (origin, entry) => {
    expect(allowedTo(origin, "server.example", [entry])).toBe("no");
  });

  test("that is absent is no page's, and may ask", () => {
    for (const list of [undefined, LIST, ["*"]]) {
      for (const host of ["example.com", "", undefined]) expect(allowedTo(undefined, host, list)).not.toBe("no");
    }
  });
});

describe("the answer to a page", () => {
  const OTHER = "https://other.example";
  const cases = [
    { what: "of the own host", list: undefined, origin: "own", credentials: true },
    { what: "of the own host beside a list", list: LIST.join(), origin: "own", credentials: true },
    { what: "of the own host where all may", list: "*", origin: "own", credentials: true },
    { what: "that is named", list: LIST.join(), origin: "https://app.example", credentials: true },
    { what: "of an app that is named", list: LIST.join(), origin: "capacitor://localhost", credentials: true },
    { what: "that is named beside *", list: `*,${OTHER}`, origin: OTHER, credentials: true },
    { what: "that only * lets in", list: "*", origin: OTHER, credentials: false },
    { what: "of a sandbox that only * lets in", list: "*", origin: "null", credentials: false },
  ];
  test.each(cases)("$what: credentials are $credentials, also before the request and over a WebSocket", async (one) => {
    await using server = startTestServer({ TOPICS: "t", ...(one.list && { ALLOWED_ORIGINS: one.list }) });
    const origin = one.origin === "own" ? server.url : one.origin;
    const asked = { "access-control-request-method": "POST", "access-control-request-headers": "x-a, content-type" };
    for (const [method, path, headers] of [
      ["GET", "/topics/t/messages", {}],
      ["HEAD", "/topics/t/events", {}],
      ["POST", "/topics", {}],
      ["GET", "/nowhere", {}],
      ["PUT", "/topics", {}],
      ["OPTIONS", "/topics/t/messages", asked],
      ["OPTIONS", "/topics/t/events", asked],
    ] as const) {
      const { headers: answered } = await fetch(server.url + path, { method, headers: { origin, ...headers } });
      const said = [answered.get("access-control-allow-origin"), answered.get("access-control-allow-credentials")];
      expect(said, `${method} ${path}`).toEqual([origin, one.credentials ? "true" : null]);
      expect(answered.get("vary")).toBe("Origin");
    }
    await using client = await Client.connect(server, { origin });
    expect(await client.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  });

  test("that is refused says nothing that would let it read it, also before the request and over a WebSocket", async () => {
    await using server = startTestServer({ TOPICS: "t", ALLOWED_ORIGINS: LIST.join() });
    for (const origin of [OTHER, "null", server.url.replace(/\d+$/, "1"), "capacitor://other"]) {
      for (const [method, path] of [
        ["GET", "/topics/t/messages"],
        ["GET", "/topics/t/events"],
        ["OPTIONS", "/topics/t/messages"],
        ["POST", "/topics"],
        ["GET", "/nowhere"],
      ] as const) {
        const response = await fetch(server.url + path, { method, headers: { origin } });
        expect([...response.headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
        const { status, code, detail } = await problemOf(response);
        expect([status, code, detail]).toEqual([403, "FORBIDDEN", `ALLOWED_ORIGINS does not include '${origin}'`]);
      }
      await expect(Client.connect(server, { origin })).rejects.toThrow("Cannot connect");
    }
  });

  test("that is refused is told in the log with its origin, host and path, the others of that second held back", async () => {
    const server = startTestServer({ TOPICS: "t", LOG_LEVEL: "warn" });
    const refuse = (path: string, origin: string) => fetch(server.url + path, { headers: { origin } });
    for (const path of ["/topics", "/health", "/topics/t/events"]) await refuse(path, OTHER);
    await refuse("/livez", "https://last.example");
    await server.stop();
    const words = " WARN  a web page was refused: ALLOWED_ORIGINS does not include its origin ";
    const host = server.url.replace("http://", "");
    expect(server.lines.map((line) => line.slice(line.indexOf(" WARN")))).toEqual([
      `${words}origin=${OTHER} host=${host} path=/topics`,
      `${words}origin=https://last.example host=${host} path=/livez held_back=2`,
    ]);
  });
});
