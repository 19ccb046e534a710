import { expect, test } from "bun:test";
import { topicDetail } from "../support/answers.ts";
import { Client, ID } from "../support/client.ts";
import type { Frame } from "../support/frames.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { createTopic, ENGINES, startTestServer } from "../support/server.ts";
import { turn } from "../support/turn.ts";
import { Wire } from "./wire.ts";

const CUTS = 1000;
/** The answer to the first request included, so that some connections do not come to be at all. */
const MOST_BYTES = 2500;
const TOPIC = "t";

/** Follows the topic over one connection after another, and comes back each time with the last position it saw. */
class Follower {
  readonly epoch: string;
  seq = 0;
  /** Where to stop, if no cut comes first. */
  goal = Number.POSITIVE_INFINITY;
  resumed = 0;
  #port: number;

  constructor(port: number, epoch: string) {
    this.#port = port;
    this.epoch = epoch;
  }

  /** One connection. Resolves when it is cut, after so many bytes or at the goal. */
  webSocket(bytes: number): Promise<void> {
    const since = { epoch: this.epoch, seq: this.seq };
    return this.#during(bytes, (listener) => {
      const wire = Wire.webSocket(this.#port, {
        ...listener,
        opened: () => wire.send({ type: "subscribe", topic: TOPIC, client_id: "me", since }),
      });
      return wire;
    });
  }

  eventStream(bytes: number): Promise<void> {
    const request = { topic: TOPIC, query: { client_id: "me" }, lastEventId: `${this.epoch}:${this.seq}` };
    return this.#during(bytes, (listener) => Wire.eventStream(this.#port, request, { ...listener, opened: () => {} }));
  }

  #during(
    bytes: number,
    open: (listener: Omit<Parameters<typeof Wire.webSocket>[1], "opened">) => Wire,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const wire = open({
      frame: (frame, id) => {
        this.#take(frame);
        if (id !== undefined) expect(id).toBe(`${this.epoch}:${this.seq}`);
        if (this.seq < this.goal) return;
        wire.cut();
        resolve();
      },
      over: (code) => reject(new Error(`The server ended it, with ${code}`)),
      failed: reject,
    });
    wire.cutAfter(bytes, resolve);
    return promise;
  }

  #take(frame: Frame): void {
    if (frame.type === "event") {
      expect(frame.seq).toBe(this.seq + 1);
      this.seq = frame.seq;
      return;
    }
    expect(frame).toMatchObject({ type: "ack", epoch: this.epoch, recovered: true });
    if (frame.type === "ack") expect((frame.seq ?? 0) - (frame.replay ?? 0)).toBe(this.seq);
    this.resumed++;
  }
}

const RUNS = Object.entries(ENGINES).flatMap(([kind, engine]) => {
  return (["webSocket", "eventStream"] as const).map((transport) => ({ kind, engine, transport }));
});

for (const { kind, engine, transport } of RUNS) {
  test(`${CUTS} cuts at any byte lose nothing that history still holds: ${transport}, engine ${kind}`, async () => {
    const seed = seedOfRun();
    const random = new Random(seed);
    await using server = startTestServer({ MAX_HISTORY: "1000" }, engine);
    await createTopic(server, TOPIC);
    await using publisher = await Client.connect(server);
    const { epoch } = await topicDetail(server, TOPIC);
    const follower = new Follower(server.port, epoch);
    let published = 0;
    try {
      for (let cut = 0; cut < CUTS; cut++) {
        let over = false;
        const connection = follower[transport](1 + random.int(MOST_BYTES)).finally(() => (over = true));
        while (!over) {
          // Never so much ahead that history could lose what the follower has still to see.
          if (published - follower.seq > 100) {
            await turn();
            continue;
          }
          const messages = Array.from({ length: 1 + random.int(4) }, () => {
            return { id: ID, payload: [0, ++published, "x".repeat(random.int(300))] };
          });
          await publisher.ask({ type: "publish", topic: TOPIC, messages });
        }
        await connection;
      }
      follower.goal = published;
      if (follower.seq < published) await follower[transport](Number.POSITIVE_INFINITY);
    } catch (cause) {
      throw new Error(`SEED=${seed}: ${cause instanceof Error ? cause.stack : cause}`);
    }
    expect(follower.seq).toBe(published);
    expect(follower.resumed).toBeGreaterThan(CUTS / 2);
  });
}
