import { z } from "zod";

const requestId = z.int().optional();
const seq = z.int().min(0);
const range = z.object({ first_seq: z.int(), last_seq: z.int() });

/** A publication: who published it, the how manieth of that publisher it is, and something to give it weight. */
const payload = z.tuple([z.int(), z.int(), z.string()]);

const ack = z.object({
  type: z.literal("ack"),
  request_id: requestId,
  topic: z.string(),
  epoch: z.string().optional(),
  seq: seq.optional(),
  first_seq: seq.optional(),
  count: z.int().optional(),
  replay: z.int().optional(),
  recovered: z.boolean().optional(),
  missed: range.optional(),
});

const event = z.object({
  type: z.literal("event"),
  topic: z.string(),
  seq,
  ts: z.iso.datetime(),
  message: z.object({ id: z.guid(), payload }),
});

const error = z.object({
  type: z.literal("error"),
  request_id: requestId,
  topic: z.string().optional(),
  error: z.object({
    code: z.string(),
    message: z.string(),
    dropped: z.int().optional(),
    first_seq: z.int().optional(),
    last_seq: z.int().optional(),
  }),
});

const info = z.object({
  type: z.literal("info"),
  msg: z.enum(["ping", "topic_deleted", "subscription_replaced", "server_shutdown"]),
  topic: z.string().optional(),
});

const pong = z.object({ type: z.literal("pong"), request_id: requestId });

const frame = z.discriminatedUnion("type", [ack, event, error, info, pong]);

/** What the server sends, as far as a subscriber or publisher under stress reads it. */
export type Frame = z.infer<typeof frame>;
export type AckFrame = z.infer<typeof ack>;
export type EventFrame = z.infer<typeof event>;
export type ErrorFrame = z.infer<typeof error>;

export function readFrame(text: string): Frame {
  return frame.parse(JSON.parse(text));
}

/** What `GET /topics/{name}/messages` answers. */
export const historyPage = z.object({
  topic: z.string(),
  epoch: z.string(),
  oldest_seq: seq,
  seq,
  messages: z.array(z.object({ seq, id: z.guid(), ts: z.iso.datetime(), payload })),
});

/** What `GET /topics/{name}` answers. */
export const topicDetail = z.object({
  epoch: z.string(),
  seq,
  subscribers: z.array(z.object({ client_id: z.string(), queued: z.int(), dropped: z.int() })),
});

/** What `POST /topics/{name}/messages` answers. */
export const publishedAnswer = z.object({ epoch: z.string(), first_seq: seq, seq, ids: z.array(z.guid()) });
