import type { z } from "zod";
import { FRAMES } from "../protocol/schema.ts";
import { SENT_FRAMES } from "../protocol/sent-schema.ts";
import { inputSchema, type JsonSchema } from "./json-schema.ts";

const EPOCH = "9f2c41d07a3e";
const ID = "550e8400-e29b-41d4-a716-446655440000";
const TS = "2026-11-21T22:53:00.000Z";

/** Frames that clients send, each with an example. */
export const CLIENT_EXAMPLES: Record<keyof typeof FRAMES, object> = {
  subscribe: { type: "subscribe", topic: "news", client_id: "s1", since: `${EPOCH}:41`, request_id: "r1" },
  unsubscribe: { type: "unsubscribe", topic: "news", client_id: "s1" },
  publish: { type: "publish", topic: "news", message: { id: ID, payload: { headline: "hello" } }, dedupe: true },
  publishBatch: { type: "publish", topic: "news", messages: [{ id: ID, payload: 1 }], ack: false },
  ping: { type: "ping", request_id: 7 },
  auth: { type: "auth", token: "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl" },
};

/** Frames that the server sends, each with an example. */
export const SERVER_EXAMPLES: Record<keyof typeof SENT_FRAMES, object> = {
  event: { type: "event", topic: "news", seq: 42, ts: TS, message: { id: ID, payload: { headline: "hello" } } },
  acknowledged: { type: "ack", topic: "news", status: "ok", ts: TS },
  published: { type: "ack", request_id: "r1", topic: "news", status: "ok", epoch: EPOCH, seq: 42, ts: TS },
  publishedBatch: { type: "ack", topic: "news", status: "ok", epoch: EPOCH, first_seq: 42, count: 3, seq: 44, ts: TS },
  subscribed: {
    ...{ type: "ack", request_id: "r1", topic: "news", status: "ok", epoch: EPOCH, seq: 60 },
    ...{ replay: 10, recovered: false, missed: { first_seq: 42, last_seq: 50 }, ts: TS },
  },
  refused: { type: "error", topic: "x", error: { code: "TOPIC_NOT_FOUND", message: "Topic 'x' not found" }, ts: TS },
  pong: { type: "pong", request_id: 7, ts: TS },
  authorized: { type: "ack", status: "ok", expires_at: TS, revoked: ["news"], ts: TS },
  slowConsumer: {
    type: "error",
    topic: "news",
    error: {
      ...{ code: "SLOW_CONSUMER", message: "Too slow: 385 events were dropped, seq 66 to 450" },
      ...{ dropped: 385, first_seq: 66, last_seq: 450 },
    },
    ts: TS,
  },
  topicDeleted: { type: "info", msg: "topic_deleted", topic: "news", ts: TS },
  epochChanged: { type: "info", msg: "epoch_changed", topic: "news", epoch: "f8b1c2039de4", seq: 42, ts: TS },
  subscriptionReplaced: { type: "info", msg: "subscription_replaced", topic: "news", ts: TS },
  subscriptionRevoked: { type: "info", msg: "subscription_revoked", topic: "news", ts: TS },
  tokenExpired: { type: "info", msg: "token_expired", ts: TS },
  serverShutdown: { type: "info", msg: "server_shutdown", retry_after_ms: 1200, ts: TS },
  heartbeat: { type: "info", msg: "ping", ts: TS },
};

/** The WebSocket protocol as an AsyncAPI 3.0 document, made of the schemas that check its traffic. */
export function asyncApi(version: string): JsonSchema {
  const sent = Object.entries(FRAMES).map(([name, schema]) => {
    return [`${name}Frame`, messageOf(name, schema, CLIENT_EXAMPLES)] as const;
  });
  const received = Object.entries(SENT_FRAMES).map(([name, schema]) => {
    return [name, messageOf(name, schema, SERVER_EXAMPLES)] as const;
  });
  const references = (messages: readonly (readonly [string, JsonSchema])[]) =>
    messages.map(([name]) => ({ $ref: `#/channels/socket/messages/${name}` }));
  return {
    asyncapi: "3.0.0",
    info: {
      title: "inmemory-pubsub",
      version,
      description: "JSON text frames over WebSocket. A server-sent event has the same frames in its `data`.",
      license: { name: "MIT" },
    },
    defaultContentType: "application/json",
    servers: {
      here: {
        host: "{host}",
        protocol: "ws",
        variables: { host: { default: "localhost:8000", description: "its host and port" } },
      },
    },
    channels: { socket: { address: "/ws", messages: Object.fromEntries([...sent, ...received]) } },
    operations: {
      send: { action: "send", channel: CHANNEL, summary: "What the server sends", messages: references(received) },
      receive: { action: "receive", channel: CHANNEL, summary: "What clients send", messages: references(sent) },
    },
  };
}

const CHANNEL = { $ref: "#/channels/socket" };

function messageOf(name: string, schema: z.ZodType, examples: Record<string, object>): JsonSchema {
  return { name, payload: inputSchema(schema), examples: [{ payload: examples[name] }] };
}
