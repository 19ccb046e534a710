import { expect, test } from "bun:test";
import { connect, type PubSubError } from "../../src/client/index.ts";
import { range } from "../support/account.ts";
import { publishBody } from "../support/answers.ts";
import { TestCredentials } from "../support/credentials.ts";
import { startGuardedServer, startTestServer } from "../support/server.ts";
import { until } from "../support/stats.ts";

const QUICK = { backoff: { firstMs: 10, mostMs: 50 }, onError: () => {} };
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

test("a token is renewed in time on the same connection, and subscriptions stay where they are", async () => {
  using credentials = new TestCredentials();
  await using server = await startGuardedServer({ ...credentials.env, TOPICS: "t" });
  const states: string[] = [];
  let asked = 0;
  const client = connect<{ t: number }>(server.url, {
    ...QUICK,
    token: () => credentials.token({ exp: inSeconds(++asked === 1 ? 2 : 600) }),
    onState: (state) => states.push(state),
  });
  const payloads: number[] = [];
  const subscription = client.subscribe("t", { onEvent: ({ payload }) => payloads.push(payload) });
  await client.publish("t", 1);
  await until(async () => asked === 2);
  for (const payload of range(2, 5)) await client.publish("t", payload);
  await until(async () => payloads.length === 5);
  expect(payloads).toEqual(range(1, 5));
  expect(subscription.state).toBe("live");
  expect(states).toEqual(["connecting", "connected"]);
  await client.close();
});

test("a token that allows less ends what it does not allow, and nothing else", async () => {
  using credentials = new TestCredentials();
  await using server = await startGuardedServer({ ...credentials.env, TOPICS: "t,u" });
  let asked = 0;
  const client = connect(server.url, {
    ...QUICK,
    token: () =>
      ++asked === 1
        ? credentials.token({ exp: inSeconds(2) }, { publish: ["*"], subscribe: ["*"] })
        : credentials.token({ exp: inSeconds(600) }, { publish: ["*"], subscribe: ["u"] }),
  });
  const causes: (string | undefined)[] = [];
  const told = { onEvent: () => {}, onState: (_: string, cause: PubSubError | undefined) => causes.push(cause?.code) };
  const [t, u] = [client.subscribe("t", told), client.subscribe("u", told)];
  await until(async () => t.state === "ended");
  expect(causes).toEqual([undefined, undefined, "REVOKED"]);
  expect([u.state, client.state]).toEqual(["live", "connected"]);
  await client.close();
});

test("a key that is refused closes the client for good, and what waits says why", async () => {
  using credentials = new TestCredentials();
  await using server = await startGuardedServer({ ...credentials.env, TOPICS: "t" });
  const client = connect(server.url, { ...QUICK, token: "wrong" });
  const subscription = client.subscribe("t", { onEvent: () => {} });
  expect(client.publish("t", 1)).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  expect((await client.closed)?.code).toBe("UNAUTHORIZED");
  expect(subscription.state).toBe("ended");
  const none = connect(server.url, QUICK);
  expect(none.publish("t", 1)).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  await none.close();
  const right = connect(server.url, { ...QUICK, token: credentials.keys.some.key });
  expect(await right.publish("t", 1)).toMatchObject({ seq: 1 });
  await right.close();
});

test("a token that cannot be had, or is refused, is asked for again", async () => {
  using credentials = new TestCredentials();
  await using server = await startGuardedServer({ ...credentials.env, TOPICS: "t" });
  let asked = 0;
  const client = connect(server.url, {
    ...QUICK,
    token: () => {
      asked++;
      if (asked === 1) throw new Error("away");
      return asked === 2 ? "wrong" : credentials.token();
    },
  });
  expect(await client.publish("t", 1)).toMatchObject({ seq: 1 });
  expect(asked).toBe(3);
  await client.close();
});

test("a server that gives no sign of life is given up, and what it owed is asked of the next connection", async () => {
  await using server = startTestServer({ TOPICS: "t", HEARTBEAT_INTERVAL_MS: "0" });
  let connections = 0;
  // The first connection hangs: it is accepted, and nothing that comes is answered.
  const front = Bun.serve<{ out: WebSocket | undefined }>({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => (self.upgrade(request, { data: { out: undefined } }) ? undefined : new Response("no")),
    websocket: {
      data: {} as { out: WebSocket | undefined },
      open: (socket) => {
        if (++connections === 1) return;
        const out = new WebSocket(server.wsUrl);
        out.onmessage = ({ data }) => void socket.send(String(data));
        socket.data.out = out;
      },
      message: async ({ data: { out } }, text) => {
        if (out === undefined) return;
        while (out.readyState === WebSocket.CONNECTING) await Bun.sleep(1);
        out.send(text);
      },
      close: ({ data: { out } }) => out?.close(),
    },
  });
  const client = connect(String(front.url), { ...QUICK, silenceMs: 50 });
  expect(await client.publish("t", 1)).toMatchObject({ seq: 1 });
  expect(connections).toBe(2);
  // A quiet connection that answers stays.
  await Bun.sleep(300);
  expect([connections, client.state]).toEqual([2, "connected"]);
  await client.close();
  await front.stop(true);
});

test("a server that shuts down says when to come back", async () => {
  let connections = 0;
  const at: number[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no")),
    websocket: {
      open: (socket) => {
        at.push(performance.now());
        if (++connections > 1) return;
        socket.send(
          JSON.stringify({ type: "info", msg: "server_shutdown", retry_after_ms: 400, ts: new Date().toISOString() }),
        );
        socket.close(1001);
      },
      message: () => {},
    },
  });
  const client = connect(String(server.url), QUICK);
  await until(async () => connections === 2);
  const [first = 0, second = 0] = at;
  // Without being told, it would have waited 10 ms at the most.
  expect(second - first).toBeGreaterThan(350);
  await client.close();
  await server.stop(true);
});

test("a gap is filled from history where it has it, and told as lost where not", async () => {
  await using server = startTestServer({ TOPICS: "t", MAX_HISTORY: "10" });
  const client = connect<{ t: number }>(server.url, QUICK);
  const subscription = client.subscribe("t", { queue: 3, repair: true, last: 0 });
  await until(async () => subscription.state === "live");
  for (const payload of range(1, 20)) await publishBody(server, "t", { payload });
  await client.publish("t", 21);
  const seqs: number[] = [];
  const ranges: Record<string, number[]> = { lost: [], filled: [] };
  for await (const item of subscription) {
    if (item.type === "event") seqs.push(item.seq);
    else ranges[item.status]?.push(...range(item.first_seq, item.last_seq ?? 0));
    if (seqs.at(-1) === 21) break;
  }
  expect(seqs).toEqual(range(12, 21));
  expect(ranges["lost"]).toEqual(range(1, 11));
  expect(ranges["filled"]).toEqual(range(12, 18));
  await client.close();
});
