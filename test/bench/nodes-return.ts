import { join } from "node:path";
import { z } from "zod";
import { HelperProcess } from "../support/helper-process.ts";
import type { LogLine } from "../support/log-lines.ts";
import type { RedisServer } from "../support/redis.ts";
import { caughtUpSchema, timeOfDay, type CrowdPlan } from "./nodes-messages.ts";
import type { Setup } from "./nodes-setups.ts";

/** Each has one subscriber. */
export const TOPICS = 1000;
/** Subscriptions of one connection: by default there may be 128. */
const SUBSCRIPTIONS_EACH = 125;
/** How often Redis is asked whether it is back, in milliseconds. */
const ASK_MS = 1;
/** A node says in its log when it is connected again. This much later that has been read. */
const LOG_MS = 100;

/** Milliseconds from when Redis answers again, by what has happened then. */
export type Returned = Record<string, number>;

/** Kills Redis and starts it again with its data, while all topics have a subscriber. */
export async function measureReturn(redis: RedisServer, setup: Setup, awayMs: number): Promise<Returned> {
  const given: CrowdPlan = { ports: setup.ports, topics: TOPICS, subscriptionsEach: SUBSCRIPTIONS_EACH };
  await using crowd = new HelperProcess(join(import.meta.dir, "nodes-crowd.ts"), given);
  await crowd.said(z.object({ subscribed: z.literal(TOPICS) }));
  const before = setup.lines.length;
  await redis.signal("SIGKILL");
  await Bun.sleep(awayMs);
  const [back] = await Promise.all([answersAt(redis), redis.start()]);
  crowd.end();
  const { firstAck, lastAck, lastTold, lastMessage } = await crowd.said(caughtUpSchema);
  await Bun.sleep(LOG_MS);
  const lines = setup.lines.slice(before);
  const times = {
    "all nodes ask again": lastConnected(lines, "requests"),
    "all hear again": lastConnected(lines, "channels"),
    "first ack": firstAck,
    "last ack": lastAck,
    "last epoch_changed": lastTold,
    "last message": lastMessage,
    "all caught up": Math.max(lastTold, lastMessage),
  };
  return Object.fromEntries(Object.entries(times).map(([what, at]) => [what, Math.round(at - back)]));
}

/** When Redis answers a PING again. */
async function answersAt(redis: RedisServer): Promise<number> {
  for (;;) {
    try {
      await redis.send("PING", []);
      return timeOfDay();
    } catch {
      await Bun.sleep(ASK_MS);
    }
  }
}

function lastConnected(lines: readonly LogLine[], connection: "requests" | "channels"): number {
  const again = lines.filter(
    (line) => line.msg === "the engine is connected again" && line["connection"] === connection,
  );
  return Math.max(...again.map(({ ts }) => Date.parse(ts)));
}
