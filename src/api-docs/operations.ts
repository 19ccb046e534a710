import { z } from "zod";
import { BODIES, messageForm, QUERIES } from "../protocol/schema.ts";
import { ANSWERS } from "../protocol/sent-schema.ts";
import { ASSETS } from "./assets.ts";
import { json, text, type Operation } from "./operation.ts";

const EPOCH = "9f2c41d07a3e";
const ID = "550e8400-e29b-41d4-a716-446655440000";
const TS = "2026-11-21T22:53:00.000Z";
const LEDGER = { due: 140, delivered: 125, dropped: { queue_full: 12 }, queued: 3, unflushed: 0 };
const NODE = {
  id: "5b0e7c91",
  host: "pubsub-0",
  pid: 1,
  port: 8000,
  version: "0.1.0",
  started_at: TS,
  connections: 340,
  subscriptions: 340,
};

/** Every request over HTTP but `GET /ws`, which the AsyncAPI document has. A test holds it against the routes of the server. */
export const OPERATIONS: readonly Operation[] = [
  {
    route: "GET /topics",
    id: "listTopics",
    summary: "Lists topics: all of them, or those that the credential may subscribe to",
    needs: "credential",
    answer: json(200, "Topics, and how many subscribers each has", ANSWERS["GET /topics"], {
      topics: [{ name: "news", subscribers: 2 }],
    }),
    errors: [],
  },
  {
    route: "POST /topics",
    id: "createTopic",
    summary: "Creates a topic",
    needs: "admin",
    body: { schema: BODIES.createTopic, examples: [{ name: "news" }] },
    answer: json(201, "It was created", ANSWERS["POST /topics"], { status: "created", topic: "news" }),
    errors: ["TOPIC_EXISTS", "TOO_LARGE", "UNSUPPORTED_ENCODING"],
  },
  {
    route: "GET /topics/:name",
    id: "showTopic",
    summary: "Shows where a topic stands, what its history holds, and its subscribers",
    needs: "admin",
    query: QUERIES.topic,
    answer: json(200, "The topic", ANSWERS["GET /topics/:name"], {
      topic: "news",
      epoch: EPOCH,
      seq: 1042,
      oldest_seq: 943,
      history: { messages: 100, bytes: 21460 },
      ledger: LEDGER,
      subscribers_total: 1,
      subscribers: [
        {
          client_id: "dashboard-1",
          transport: "websocket",
          address: "192.0.2.17",
          queued: 3,
          dropped: 12,
          connected_since: TS,
          ledger: LEDGER,
        },
      ],
    }),
    errors: ["TOPIC_NOT_FOUND"],
  },
  {
    route: "DELETE /topics/:name",
    id: "deleteTopic",
    summary: "Deletes a topic, and closes connections that have no other subscription",
    needs: "admin",
    answer: json(200, "It was deleted", ANSWERS["DELETE /topics/:name"], { status: "deleted", topic: "news" }),
    errors: ["TOPIC_NOT_FOUND"],
  },
  {
    route: "GET /topics/:name/messages",
    id: "readHistory",
    summary: "Reads history: the newest messages, or those after a position",
    needs: "subscribe",
    query: QUERIES.history,
    answer: json(
      200,
      "A page of history; `more` says to ask again after its last `seq`",
      ANSWERS["GET /topics/:name/messages"],
      {
        topic: "news",
        epoch: EPOCH,
        oldest_seq: 943,
        seq: 1042,
        messages: [{ seq: 1042, ts: TS, id: ID, payload: { headline: "hello" } }],
      },
    ),
    errors: ["TOPIC_NOT_FOUND", "EPOCH_OVER"],
  },
  {
    route: "POST /topics/:name/messages",
    id: "publish",
    summary: "Publishes one message, or several of them, all or none",
    needs: "publish",
    headers: { traceparent: "the trace that the messages belong to (W3C Trace Context), delivered with them" },
    body: {
      schema: BODIES.publish.or(BODIES.publishBatch.extend({ messages: z.array(messageForm("messages[]")).min(1) })),
      examples: [
        { payload: { headline: "hello" } },
        { id: ID, payload: 1.1, dedupe: true },
        { messages: [{ payload: 1 }, { id: ID, payload: null }] },
      ],
    },
    answer: json(200, "Where the messages stand, and their ids in order", ANSWERS["POST /topics/:name/messages"], {
      status: "ok",
      topic: "news",
      epoch: EPOCH,
      first_seq: 1042,
      seq: 1042,
      ids: [ID],
    }),
    errors: ["TOPIC_NOT_FOUND", "TOO_LARGE", "UNSUPPORTED_ENCODING"],
  },
  {
    route: "GET /topics/:name/events",
    id: "subscribeToEvents",
    summary: "Subscribes by server-sent events; `Last-Event-ID` or `since` resumes",
    needs: "subscribe",
    headers: { "Last-Event-ID": "`EPOCH:SEQ`, where a client comes back: what came after it" },
    query: QUERIES.events,
    answer: {
      status: 200,
      description: "A stream that goes on until it is closed. The AsyncAPI document has the frames in its `data`",
      content: { type: "text/event-stream" },
    },
    errors: ["TOPIC_NOT_FOUND"],
  },
  {
    route: "GET /stats",
    id: "stats",
    summary: "Counts the messages ever published, and the subscribers, of each topic",
    needs: "admin",
    answer: json(200, "Counts by topic", ANSWERS["GET /stats"], {
      topics: { news: { messages: 1042, subscribers: 2 } },
    }),
    errors: [],
  },
  {
    route: "GET /health",
    id: "health",
    summary: "Says how long the server has run, and how many topics and subscribers it has",
    needs: "credential",
    answer: json(200, "Figures", ANSWERS["GET /health"], { uptime_sec: 86400, topics: 12, subscribers: 340 }),
    errors: [],
  },
  {
    route: "GET /nodes",
    id: "nodes",
    summary: "Lists the servers that share one engine; `node` is the one that answers",
    needs: "admin",
    answer: json(200, "The nodes", ANSWERS["GET /nodes"], {
      node: NODE.id,
      nodes: [NODE],
    }),
    errors: ["UNAVAILABLE"],
  },
  {
    route: "GET /livez",
    id: "livez",
    summary: "Answers for as long as the process works",
    needs: "nothing",
    answer: json(200, "It works", ANSWERS["GET /livez"], { status: "ok" }),
    errors: [],
  },
  {
    route: "GET /readyz",
    id: "readyz",
    summary: "Says whether the server takes requests; not while it shuts down",
    needs: "nothing",
    answer: json(200, "It is ready", ANSWERS["GET /readyz"], { status: "ok" }),
    errors: [],
  },
  {
    route: "GET /metrics",
    id: "metrics",
    summary: "Metrics in the text format of Prometheus",
    needs: "admin",
    answer: text("text/plain", "Metrics", "# TYPE pubsub_topics gauge\npubsub_topics 12\n"),
    errors: [],
  },
  ...ASSETS,
];
