/** What crosses the borders of processes when several nodes are measured. */
import { z } from "zod";

export const workSchema = z.object({
  ports: z.array(z.int()).min(1),
  /** The processes of the nodes, and of the Redis that they go by. */
  pids: z.array(z.int()),
  redis: z.int().optional(),
  mode: z.enum(["acks", "deliveries"]),
  /** Connections that publish, in turn to one node and another, to as many topics: `PREFIX0`, `PREFIX1`, … */
  publishers: z.int(),
  prefix: z.string(),
  /** Messages in flight of each. */
  window: z.int(),
  /** Connections that subscribe, in turn to one topic and another, those of a topic in turn at one node and another. */
  subscribers: z.int(),
  /** How long it goes on before it is measured, and while it is. */
  warmUp: z.number(),
  seconds: z.number(),
});
export type Work = z.infer<typeof workSchema>;

export const doneSchema = z.object({
  seconds: z.number(),
  /** Acks or deliveries. */
  count: z.number(),
  /** Of acks, in milliseconds from when the publish was sent; null of deliveries. */
  p50: z.number().nullable(),
  p99: z.number().nullable(),
  /** CPU seconds of all nodes together, of Redis, and of the load itself; and those of two cores that nobody used. */
  cpu: z.object({ nodes: z.number(), redis: z.number(), load: z.number(), idle: z.number() }),
});
export type Done = z.infer<typeof doneSchema>;

export const crowdSchema = z.object({
  ports: z.array(z.int()).min(1),
  topics: z.int(),
  subscriptionsEach: z.int(),
});
export type CrowdPlan = z.infer<typeof crowdSchema>;

/** Times of day, in milliseconds: they are what two processes have in common. */
export const caughtUpSchema = z.object({
  /** When the first publish was acknowledged, and the last. */
  firstAck: z.number(),
  lastAck: z.number(),
  /** When the last subscriber was told `epoch_changed`, and when the last was sent its message. */
  lastTold: z.number(),
  lastMessage: z.number(),
});
export type CaughtUp = z.infer<typeof caughtUpSchema>;

export const timeOfDay = () => performance.timeOrigin + performance.now();
