/** The schemas of everything that the server sends. They are strict: a field that is in no schema is a fault. */
import { z } from "zod";
import { ERRORS, type AnswerCode } from "./codes.ts";
import { TRANSPORTS, type Problem, type ServerFrame } from "./frames.ts";
import { ledger, nodeInfo } from "./nodes.ts";
import { payloadIn, SUBSCRIBERS_PAGE, traceparent } from "./schema.ts";

const text = z.string().min(1);
const seq = z.int().min(0);
const ts = z.iso.datetime();
const ok = z.literal("ok");
// A number that is too large for JavaScript, such as 1e400, comes back as it was written all the same.
const anyNumber = z.custom<number>((value) => typeof value === "number").meta({ type: "number" });
const requestId = z.union([z.string(), anyNumber]).optional();
const isAnswerCode = (value: string): value is AnswerCode => Object.hasOwn(ERRORS, value) && value !== "SLOW_CONSUMER";
const code = z.enum(Object.keys(ERRORS).filter(isAnswerCode));
const range = { first_seq: seq, last_seq: seq };
const sentMessage = z.strictObject({ id: z.guid(), payload: payloadIn("message") });

const frame = <const T extends string, S extends z.core.$ZodLooseShape>(type: T, shape: S) =>
  z.strictObject({ type: z.literal(type), ...shape, ts });
const answer = <const T extends string, S extends z.core.$ZodLooseShape>(type: T, shape: S) =>
  frame(type, { request_id: requestId, ...shape });
const info = <const M extends string, S extends z.core.$ZodLooseShape>(msg: M, shape: S) =>
  frame("info", { msg: z.literal(msg), ...shape });

const acked = { topic: text, status: ok };
const ackedAt = { ...acked, epoch: text, seq };
const duplicate = z.literal(true).optional();

/** Every frame that the server sends. */
export const SENT_FRAMES = {
  event: frame("event", {
    topic: text,
    seq: z.int().min(1),
    traceparent: traceparent.optional(),
    message: sentMessage,
  }),
  acknowledged: answer("ack", acked),
  published: answer("ack", { ...ackedAt, duplicate }),
  publishedBatch: answer("ack", { ...ackedAt, first_seq: seq, count: z.int().min(1), duplicate }),
  subscribed: answer("ack", {
    ...ackedAt,
    base: z.int().min(1).optional(),
    replay: seq,
    recovered: z.boolean().optional(),
    missed: z.strictObject(range).optional(),
  }),
  refused: answer("error", { topic: z.string().optional(), error: z.strictObject({ code, message: text }) }),
  pong: answer("pong", {}),
  authorized: answer("ack", { status: ok, expires_at: ts.optional(), revoked: z.array(text).optional() }),
  slowConsumer: frame("error", {
    topic: text,
    error: z.strictObject({ code: z.literal("SLOW_CONSUMER"), message: text, dropped: z.int().min(1), ...range }),
  }),
  topicDeleted: info("topic_deleted", { topic: text, reason: z.literal("shutdown").optional() }),
  epochChanged: info("epoch_changed", { topic: text, epoch: text, seq }),
  subscriptionReplaced: info("subscription_replaced", { topic: text }),
  subscriptionRevoked: info("subscription_revoked", { topic: text }),
  tokenExpired: info("token_expired", {}),
  serverShutdown: info("server_shutdown", { retry_after_ms: z.int().min(0) }),
  heartbeat: info("ping", {}),
} as const;

export const serverFrame: z.ZodType<ServerFrame> = z.union(Object.values(SENT_FRAMES));

/** A subscriber, as a topic's detail shows it. */
const subscriber = z.strictObject({
  client_id: text,
  transport: z.enum(TRANSPORTS),
  queued: z.int().min(0),
  dropped: z.int().min(0),
  address: z.string().optional(),
  connected_since: ts,
  ledger,
});

/** Every JSON answer over HTTP, by method and path pattern. */
export const ANSWERS = {
  "GET /topics": z.strictObject({ topics: z.array(z.strictObject({ name: text, subscribers: z.int().min(0) })) }),
  "POST /topics": z.strictObject({ status: z.literal("created"), topic: text }),
  "GET /topics/:name": z.strictObject({
    topic: text,
    epoch: text,
    seq,
    oldest_seq: seq,
    history: z.strictObject({ messages: z.int().min(0), bytes: z.int().min(0) }),
    ledger,
    subscribers_total: z.int().min(0),
    subscribers: z.array(subscriber).max(SUBSCRIBERS_PAGE),
    /** Nodes that did not answer in time: what they have is missing here. */
    unanswered: z.int().min(1).optional(),
  }),
  "DELETE /topics/:name": z.strictObject({ status: z.literal("deleted"), topic: text }),
  "GET /topics/:name/messages": z.strictObject({
    topic: text,
    epoch: text,
    oldest_seq: seq,
    seq,
    more: z.literal(true).optional(),
    messages: z.array(z.strictObject({ seq, ts, traceparent: traceparent.optional(), ...sentMessage.shape })),
  }),
  "POST /topics/:name/messages": z.strictObject({
    status: ok,
    topic: text,
    epoch: text,
    first_seq: seq,
    seq,
    duplicate,
    ids: z.array(z.guid()),
  }),
  "GET /health": z.strictObject({ uptime_sec: z.int().min(0), topics: z.int().min(0), subscribers: z.int().min(0) }),
  "GET /stats": z.strictObject({
    topics: z.record(text, z.strictObject({ messages: seq, subscribers: z.int().min(0) })),
  }),
  "GET /nodes": z.strictObject({ node: text, nodes: z.array(nodeInfo) }),
  // Documents of other standards, which other tools check.
  "GET /openapi.json": z.looseObject({ openapi: z.literal("3.1.0") }),
  "GET /asyncapi.json": z.looseObject({ asyncapi: z.literal("3.0.0") }),
  "GET /livez": z.strictObject({ status: ok }),
  "GET /readyz": z.strictObject({ status: ok }),
} as const;

/** A problem document (RFC 9457 §3), with our code as an extension member (§3.2). */
export const problemDocument: z.ZodType<Problem> = z.strictObject({
  type: z.literal("about:blank"),
  status: z.int().min(400).max(599),
  title: text,
  detail: text,
  code,
});
