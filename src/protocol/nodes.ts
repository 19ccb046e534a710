/** What nodes tell each other of their subscribers and of themselves, as schemas and as types. */
import { z } from "zod";
import { TRANSPORTS } from "./frames.ts";
import { DROP_REASONS, type Ledger } from "./ledger.ts";

const count = z.int().min(0);

export const ledger: z.ZodType<Ledger> = z.strictObject({
  due: count,
  delivered: count,
  dropped: z.partialRecord(z.enum(DROP_REASONS), count),
  queued: count,
  unflushed: count,
});

const subscriberStats = z.strictObject({
  clientId: z.string(),
  transport: z.enum(TRANSPORTS),
  /** Events that wait to be sent to the subscriber. */
  queued: count,
  /** Events that it lost, reported or not. */
  dropped: count,
  address: z.string().optional(),
  ledger,
  /** In milliseconds since 1970 UTC. */
  connectedAt: z.number(),
});

export type SubscriberStats = z.infer<typeof subscriberStats>;

/** Selects subscribers of a topic: at most `limit`, whose `client_id` comes after `after`. */
export type SubscriberPage = { limit?: number | undefined; after?: string | undefined };

export const topicDetail = z.strictObject({
  epoch: z.string(),
  /** The newest message. */
  seq: count,
  /** The oldest message in history; `seq + 1` if there is none. */
  oldestSeq: count,
  /** The memory that the log takes, in bytes. */
  bytes: count,
  /** Of all subscribers together, those whose subscription has ended included. */
  ledger,
  /** How many subscribers there are. */
  total: count,
  /** The selected subscribers, sorted by `client_id` in UTF-16 code units. */
  subscribers: z.array(subscriberStats),
  /** How many nodes did not answer in time: what they have is missing here. */
  unanswered: count.optional(),
});

export type TopicDetail = z.infer<typeof topicDetail>;

/** A node, as it shows itself to the others. */
export const nodeInfo = z.strictObject({
  id: z.string().min(1),
  host: z.string(),
  pid: count,
  /** The port that it listens on. */
  port: count,
  version: z.string(),
  started_at: z.iso.datetime(),
  /** WebSockets and event streams that are open there. */
  connections: count,
  subscriptions: count,
});

export type NodeInfo = z.infer<typeof nodeInfo>;
