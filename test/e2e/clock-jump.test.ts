import { beforeAll, describe, expect, test } from "bun:test";
import { CLOSE } from "../../src/protocol/codes.ts";
import { binary, startBinary, type Started } from "../support/binary.ts";
import { Client } from "../support/client.ts";
import { TestCredentials } from "../support/credentials.ts";
import type { Frame } from "../support/frames.ts";
import { JumpingClock, skipClock } from "../support/jumping-clock.ts";
import { RawClient } from "../support/raw-client.ts";
import { allOverRedis } from "../support/redis.ts";

const HOUR_SEC = 3600;
/** From an hour ahead to an hour behind is a jump of two. */
const JUMPS = [HOUR_SEC, 0, -HOUR_SEC, HOUR_SEC, -HOUR_SEC, 0];
/** More than there are in the seconds that a step takes, and far fewer than there are in an hour. */
const MANY_HEARTBEATS = 1000;

const now = () => Math.floor(Date.now() / 1000);
const connect = (server: Started, token: string) => Client.connect(server, { authorization: `Bearer ${token}` });

/** What comes before the next event, and the event. */
async function nextEvent(client: Client): Promise<{ before: Frame[]; event: Frame }> {
  const before: Frame[] = [];
  for (let frame = await client.next(); ; frame = await client.next()) {
    if (frame.type === "event") return { before, event: frame };
    before.push(frame);
  }
}

/** The first frame that is no heartbeat. */
async function nextWord(client: Client): Promise<Frame> {
  for (let frame = await client.next(); ; frame = await client.next()) if (frame.msg !== "ping") return frame;
}

/** Waits for so many heartbeats, which must come. */
async function heartbeats(client: Client, count: number): Promise<void> {
  for (let seen = 0; seen < count;) if ((await client.next()).msg === "ping") seen++;
}

async function publish(server: Started, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${server.url}/topics/t/messages`, { method: "POST", headers, body: '{"payload":1}' });
  return response.status;
}

beforeAll(() => void binary());

describe.skipIf(skipClock)("a clock that jumps under the running executable", () => {
  const setUp = async () => {
    const clock = new JumpingClock();
    const credentials = new TestCredentials();
    const settings = { ...credentials.env, TOPICS: "t", HEARTBEAT_INTERVAL_MS: "100" };
    const server = await startBinary({ ...settings, ...clock.env });
    const dispose = async () => {
      await server[Symbol.asyncDispose]();
      credentials[Symbol.dispose]();
      clock[Symbol.dispose]();
    };
    return { clock, credentials, server, [Symbol.asyncDispose]: dispose };
  };

  test("leaves events in order, heartbeats coming as before, and nobody closed", async () => {
    await using stage = await setUp();
    const { clock, credentials, server } = stage;
    const token = await credentials.token({ exp: now() + 10 * HOUR_SEC });
    await using client = await connect(server, token);
    await client.subscribe("t", "me");
    let seq = 0;
    for (const offset of [0, ...JUMPS]) {
      clock.set(offset);
      expect(await publish(server, token)).toBe(200);
      const { before, event } = await nextEvent(client);
      expect(event.seq).toBe(++seq);
      expect(before.length).toBeLessThan(MANY_HEARTBEATS);
      // Its time is the clock's, so the server has seen the jump. Where Redis gives it, it is the clock of Redis.
      const seen = allOverRedis ? 0 : offset;
      expect((Date.parse(event.ts) - Date.now()) / 1000 / HOUR_SEC).toBeCloseTo(seen / HOUR_SEC, 1);
      await heartbeats(client, 3);
    }
    const stopped = server.process.exited;
    server.process.kill("SIGTERM");
    expect(await client.closed).toEqual(CLOSE.shuttingDown);
    expect(await stopped).toBe(0);
  });

  test.each(["forward", "back"])("%s gives up one that is silent as before, and nobody else", async (way) => {
    using clock = new JumpingClock();
    await using server = await startBinary({ ...clock.env, TOPICS: "t", HEARTBEAT_INTERVAL_MS: "100" });
    await using client = await Client.connect(server);
    // It reads, and answers nothing.
    const silent = await RawClient.subscribe(server, "silent");
    clock.set(way === "forward" ? HOUR_SEC : -HOUR_SEC);
    const frames = await silent.readUntil(() => silent.close !== undefined);
    expect(silent.close).toEqual(CLOSE.noSignOfLife);
    expect(frames.filter(({ msg }) => msg === "ping")).toHaveLength(2);
    silent.cut();
    await heartbeats(client, 4);
    expect((await client.settle()).every(({ msg }) => msg === "ping")).toBe(true);
  });

  test("ends tokens by the clock: forward at once, and back again they are as good as they were", async () => {
    await using stage = await setUp();
    const { clock, credentials, server } = stage;
    const short = await credentials.token({ exp: now() + HOUR_SEC / 2 });
    const long = await credentials.token({ exp: now() + 3 * HOUR_SEC, sub: "bob" });
    const fresh = await credentials.token({ exp: now() + 3 * HOUR_SEC, nbf: now() });
    const within = await credentials.token({ exp: now() + HOUR_SEC + 25, sub: "carol" });
    await using ends = await connect(server, short);
    await using lives = await connect(server, long);
    await using told = await connect(server, within);
    await ends.subscribe("t", "ends");
    await lives.subscribe("t", "lives");

    clock.set(HOUR_SEC);
    expect(await ends.closed).toEqual(CLOSE.unauthorized);
    await expect(connect(server, short)).rejects.toThrow();
    expect(await publish(server, short)).toBe(401);
    expect(await publish(server, long)).toBe(200);
    expect((await nextEvent(lives)).event.seq).toBe(1);

    // Past its end by less than the leeway: told, and not closed.
    clock.set(HOUR_SEC + 30);
    expect(await nextWord(told)).toMatchObject({ type: "info", msg: "token_expired" });

    clock.set(-HOUR_SEC);
    await heartbeats(told, 15);
    expect(await publish(server, short)).toBe(200);
    expect(await publish(server, fresh)).toBe(401);
    expect((await nextEvent(lives)).event.seq).toBe(2);
    expect(await publish(server, credentials.keys.some.key)).toBe(200);
    await using again = await connect(server, short);
    expect(await again.subscribe("t", "again")).toMatchObject({ type: "ack", seq: 3 });

    clock.set(0);
    expect(await publish(server, fresh)).toBe(200);
  });
});
