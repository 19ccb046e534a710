import { beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { z } from "zod";
import { binary, startBinary, type Started } from "../support/binary.ts";
import { Client } from "../support/client.ts";
import { metrics, until } from "../support/stats.ts";
import type { LogLine } from "../support/log-lines.ts";
import { createTopic } from "../support/server.ts";

const LIMIT = 64;

const within = (command: string[]) => ["sh", "-c", `ulimit -n ${LIMIT}; exec "$@"`, "-", ...command];

/** Every line that the server logs after its first. */
function logOf({ log }: Started): LogLine[] {
  const lines: LogLine[] = [];
  const read = async () => {
    for (let line = await log.next(); line !== undefined; line = await log.next()) lines.push(line);
  };
  void read();
  return lines;
}

/** A connection that asks something at once, and keeps what is answered. */
class Visitor {
  readonly socket: Socket;
  answer = "";

  constructor(server: Started, request: string) {
    this.socket = connect(server.port, "127.0.0.1");
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk) => (this.answer += chunk.toString("latin1")));
    this.socket.write(request);
  }
}

/** A request that never ends: it keeps its connection open. */
const HALF = "GET /half HTTP/1.1\r\nHost: 127.0.0.1\r\n";

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`;

const REFUSED = "connections refused: the limit of open files is reached";

beforeAll(() => void binary());

describe.skipIf(process.platform !== "linux")(`with no more than ${LIMIT} open files`, () => {
  const start = () => startBinary({ MAX_CONNECTIONS: "1000", HEARTBEAT_INTERVAL_MS: "0" }, undefined, within);

  test("MAX_CONNECTIONS is lowered to what there is room for, and the log says so", async () => {
    await using server = await start();
    const log = logOf(server);
    await until(async () => log.length > 0);
    expect(log).toEqual([
      expect.objectContaining({
        level: "info",
        msg: "MAX_CONNECTIONS is lowered to what the limit of open files allows",
        connections: expect.any(Number),
        files: LIMIT,
      }),
    ]);
    const most = z.number().parse(log[0]?.["connections"]);
    expect(most).toBeWithin(1, LIMIT - 20);
    const clients = await Promise.all(Array.from({ length: most }, () => Client.connect(server)));
    await using tooMany = await Client.connect(server);
    expect(await tooMany.next()).toMatchObject({ error: { message: expect.stringContaining(`is ${most}:`) } });
    expect(await tooMany.closed).toMatchObject({ code: 4429 });
    expect((await fetch(`${server.url}/topics`, { method: "POST", body: '{"name":"t"}' })).status).toBe(201);
    expect((await fetch(`${server.url}/topics/t/events`)).status).toBe(429);
    for (const client of clients) await client.close();
  });

  test("too many connections are told, a good subscriber notices nothing, probes are answered, and afterwards all is well", async () => {
    await using server = await start();
    const log = logOf(server);
    await createTopic(server, "t");
    await using good = await Client.connect(server);
    await good.subscribe("t", "good");
    await using publisher = await Client.connect(server);

    const visitors = Array.from({ length: 3 * LIMIT }, () => new Visitor(server, HALF));
    const told = () => visitors.filter(({ answer }) => answer.includes("LIMIT_EXCEEDED"));
    await until(async () => told().length >= 2 * LIMIT);
    for (const { answer } of told()) {
      expect(answer).toMatch(
        /^HTTP\/1\.1 429 Too Many Requests[^]*\r\ncontent-type: application\/problem\+json\r\n[^]*\r\n\r\n\{.*\}$/,
      );
    }

    for (let n = 1; n <= 20; n++) {
      const probe = new Visitor(server, get("/livez"));
      await until(async () => probe.answer.endsWith('{"status":"ok"}'));
      expect(probe.answer).toStartWith("HTTP/1.1 200 OK\r\n");
      expect(await publisher.publish("t", n)).toMatchObject({ seq: n });
      expect(await good.next()).toMatchObject({ type: "event", seq: n });
    }
    // A second line follows only when the first second is over.
    const lines = () => log.filter(({ msg }) => msg === REFUSED);
    await until(async () => {
      visitors.push(new Visitor(server, HALF));
      return lines().length >= 2;
    });
    expect(lines()[0]).toMatchObject({ level: "warn", files: LIMIT, newcomers: expect.any(Number) });
    expect(lines()[1]?.["held_back"]).toBeGreaterThan(0);
    const [first = 0, second = 0] = lines().map(({ ts }) => Date.parse(ts));
    expect(second - first).toBeGreaterThan(990);

    for (const { socket } of visitors) socket.destroy();
    const readyz: Visitor[] = [];
    await until(async () => {
      const probe = new Visitor(server, get("/readyz"));
      readyz.push(probe);
      await until(async () => probe.answer.includes("\r\n\r\n{"));
      return probe.answer.startsWith("HTTP/1.1 200 ");
    });
    const refused = (await metrics(server)).get('pubsub_limit_refusals_total{limit="MAX_CONNECTIONS"}');
    // Some may have gone before they were told.
    const answered = told().length + readyz.filter(({ answer }) => answer.includes("LIMIT_EXCEEDED")).length;
    const unanswered = visitors.filter(({ answer }) => answer === "").length;
    expect(refused).toBeWithin(answered, answered + unanswered + 1);
    await using late = await Client.connect(server);
    expect(await late.subscribe("t", "late", 1)).toMatchObject({ type: "ack", seq: 20 });
    expect(await late.next()).toMatchObject({ seq: 20 });
  });
});
