import { beforeAll, expect, test } from "bun:test";
import { TRANSPORTS } from "../../src/protocol/frames.ts";
import { account } from "../support/account.ts";
import { history, post, problemOf, readPublished, topicUrl } from "../support/answers.ts";
import { binary, startBinary, type Started } from "../support/binary.ts";
import { Client } from "../support/client.ts";
import type { Received } from "../support/received.ts";
import { createTopic, stats } from "../support/server.ts";
import { Subscriber, type Wish } from "../support/subscriber.ts";

const TOPICS = ["a", "b"];
/** Events that each subscriber has before the server is killed, and after it is back. */
const ENOUGH = 50;
const RETRY_MS = 50;

type Granted = Extract<Received, { kind: "subscribed" }>;

const events = ({ received }: Subscriber) => received.filter((one) => one.kind === "event");

function grantOf({ received: [first] }: Subscriber): Granted {
  if (first?.kind !== "subscribed") throw new Error(`Not subscribed: ${JSON.stringify(first)}`);
  return first;
}

/** One life of the server: the how manieth, and the payload that stands at each place, as its publishers were told. */
type Life = { server: Started; number: number; book: Map<string, unknown>; killed?: boolean };

/** Publishes over HTTP, one batch after the other, until the server is killed. */
async function publishOverHttp(life: Life, topic: string): Promise<void> {
  const { server, number, book } = life;
  try {
    for (let n = 0; ; n++) {
      const payloads = [0, 1, 2].map((i) => ({ life: number, by: "HTTP", n: 3 * n + i }));
      const response = await post(server, topic, { messages: payloads.map((payload) => ({ payload })) });
      const { epoch, first_seq } = readPublished(await response.text());
      for (const [i, payload] of payloads.entries()) book.set(`${topic} ${epoch}:${first_seq + i}`, payload);
    }
  } catch (cause) {
    if (life.killed !== true) throw cause;
  }
}

/** The same over a WebSocket. */
async function publishOverWebSocket(life: Life, topic: string): Promise<void> {
  const { server, number, book } = life;
  const client = await Client.connect(server);
  try {
    for (let n = 0; ; n++) {
      const payload = { life: number, by: "WebSocket", n };
      const { epoch, seq } = await client.publish(topic, payload);
      book.set(`${topic} ${epoch}:${seq}`, payload);
    }
  } catch (cause) {
    if (life.killed !== true) throw cause;
  }
}

function publishEverywhere(life: Life): Promise<unknown> {
  const ways = [publishOverHttp, publishOverWebSocket];
  return Promise.all(TOPICS.flatMap((topic) => ways.map((publish) => publish(life, topic))));
}

function kill(life: Life): void {
  life.killed = true;
  life.server.process.kill("SIGKILL");
}

/** Opens a subscriber. Tries again until the server is there. */
async function comeBack(server: { port: number }, transport: (typeof TRANSPORTS)[number], wish: Wish) {
  while (true) {
    const back = await Subscriber.open(server, transport, wish).catch(() => undefined);
    if (back?.over === false) return back;
    await Bun.sleep(RETRY_MS);
  }
}

async function untilAll(subscribers: readonly Subscriber[], done: (one: Subscriber) => boolean): Promise<void> {
  while (!subscribers.every(done)) await Bun.sleep(5);
}

beforeAll(() => void binary());

test("killed under load and started again: all come back, TOPICS are there, and nothing of the old epochs is claimed", async () => {
  const book = new Map<string, unknown>();
  await using first = await startBinary({ TOPICS: TOPICS.join() });
  await createTopic(first, "made by hand");
  const seats = TOPICS.flatMap((topic) =>
    TRANSPORTS.flatMap((transport) => [1, 2].map((n) => ({ topic, transport, n }))),
  );
  const stays = await Promise.all(
    seats.map(async ({ topic, transport, n }) => {
      const wish = { topic, clientId: `${transport} ${n}` };
      return { wish, transport, before: await Subscriber.open(first, transport, wish) };
    }),
  );
  const before = stays.map((stay) => stay.before);
  const life: Life = { server: first, number: 1, book };
  const publishing = publishEverywhere(life);
  await untilAll(before, (one) => events(one).length >= ENOUGH);
  kill(life);
  await publishing;
  expect(await Promise.all(before.map(({ ended }) => ended))).toEqual(before.map(() => ({ how: "cut" })));

  const returning = Promise.all(
    stays.map(async (stay) => {
      const since = { epoch: grantOf(stay.before).epoch, seq: events(stay.before).at(-1)?.seq ?? 0 };
      return { ...stay, after: await comeBack(first, stay.transport, { ...stay.wish, since }) };
    }),
  );
  await using second = await startBinary({ TOPICS: TOPICS.join(), PORT: String(first.port) });
  expect(Object.keys(await stats(second))).toEqual(TOPICS);
  const next: Life = { server: second, number: 2, book };
  const again = publishEverywhere(next);
  const returned = await returning;
  await untilAll(
    returned.map(({ after }) => after),
    (one) => events(one).length >= ENOUGH,
  );

  for (const { wish, before, after } of returned) {
    const { topic } = wish;
    const [old, granted] = [grantOf(before), grantOf(after)];
    expect(granted.epoch).not.toBe(old.epoch);
    expect(granted).toMatchObject({ recovered: false });
    expect(granted).not.toHaveProperty("missed");
    // All that there is of the new epoch, from its first event on.
    const { gaps } = account(after.received, granted.seq - granted.replay);
    expect(gaps).toEqual([]);
    for (const [life, one, { epoch }] of [
      [1, before, old],
      [2, after, granted],
    ] as const) {
      for (const { seq, payload } of events(one)) {
        expect(payload).toMatchObject({ life });
        const told = book.get(`${topic} ${epoch}:${seq}`);
        if (told !== undefined) expect(payload).toEqual(told);
      }
    }
    const since = await fetch(topicUrl(second, topic, `/messages?since=${old.epoch}:1`));
    expect(await problemOf(since)).toMatchObject({ code: "EPOCH_OVER" });
    expect((await history(second, topic)).epoch).toBe(granted.epoch);
  }
  expect((await fetch(topicUrl(second, "made by hand"))).status).toBe(404);
  kill(next);
  await again;
});
