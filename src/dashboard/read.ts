import type { Position } from "../client/index.ts";
import { isFields } from "../client/read.ts";

/** What became of the events that were due: `due` is the sum of all the rest. */
export type Ledger = {
  due: number;
  delivered: number;
  dropped: readonly (readonly [reason: string, count: number])[];
  queued: number;
  unflushed: number;
};

export type TopicCounts = { name: string; messages: number | undefined; subscribers: number };

export type Subscriber = {
  clientId: string;
  transport: string;
  address: string | undefined;
  dropped: number;
  since: number;
  ledger: Ledger;
};

export type TopicDetail = {
  epoch: string;
  seq: number;
  oldestSeq: number;
  messages: number;
  bytes: number;
  total: number;
  ledger: Ledger;
  subscribers: readonly Subscriber[];
  /** How many nodes did not answer in time: their subscribers are missing. */
  unanswered: number;
};

export type NodeInfo = {
  id: string;
  /** `HOST:PORT` */
  address: string;
  version: string;
  startedAt: number;
  connections: number;
  subscriptions: number;
};

/** All nodes that share the topics. `own` is the id of the one that answered. */
export type Nodes = { own: string; all: readonly NodeInfo[] };

/** The answer of `GET /stats`. */
export function readStats(answer: unknown): TopicCounts[] {
  const topics = fields(fields(answer)["topics"]);
  return Object.entries(topics).map(([name, value]) => {
    const counts = fields(value);
    return { name, messages: number(counts["messages"]), subscribers: number(counts["subscribers"]) };
  });
}

/** The answer of `GET /topics`. */
export function readTopics(answer: unknown): TopicCounts[] {
  return list(fields(answer)["topics"]).map((value) => {
    const topic = fields(value);
    return { name: text(topic["name"]), messages: undefined, subscribers: number(topic["subscribers"]) };
  });
}

/** The answer of `GET /topics/{name}`. */
export function readDetail(answer: unknown): TopicDetail {
  const detail = fields(answer);
  const history = fields(detail["history"]);
  return {
    epoch: text(detail["epoch"]),
    seq: number(detail["seq"]),
    oldestSeq: number(detail["oldest_seq"]),
    messages: number(history["messages"]),
    bytes: number(history["bytes"]),
    total: number(detail["subscribers_total"]),
    ledger: readLedger(detail["ledger"]),
    subscribers: list(detail["subscribers"]).map(readSubscriber),
    unanswered: detail["unanswered"] === undefined ? 0 : number(detail["unanswered"]),
  };
}

/** The answer of `GET /nodes`. */
export function readNodes(answer: unknown): Nodes {
  const { node, nodes } = fields(answer);
  return { own: text(node), all: list(nodes).map(readNode) };
}

function readNode(value: unknown): NodeInfo {
  const node = fields(value);
  return {
    id: text(node["id"]),
    address: `${text(node["host"])}:${number(node["port"])}`,
    version: text(node["version"]),
    startedAt: Date.parse(text(node["started_at"])),
    connections: number(node["connections"]),
    subscriptions: number(node["subscriptions"]),
  };
}

/** Where a topic stands, of the answer of `GET /topics/{name}/messages`. */
export function readPosition(answer: unknown): Position {
  const history = fields(answer);
  return { epoch: text(history["epoch"]), seq: number(history["seq"]) };
}

function readSubscriber(value: unknown): Subscriber {
  const subscriber = fields(value);
  const { address } = subscriber;
  return {
    clientId: text(subscriber["client_id"]),
    transport: text(subscriber["transport"]),
    address: typeof address === "string" ? address : undefined,
    dropped: number(subscriber["dropped"]),
    since: Date.parse(text(subscriber["connected_since"])),
    ledger: readLedger(subscriber["ledger"]),
  };
}

function readLedger(value: unknown): Ledger {
  const ledger = fields(value);
  const reasons = Object.entries(fields(ledger["dropped"]));
  return {
    due: number(ledger["due"]),
    delivered: number(ledger["delivered"]),
    dropped: reasons.map(([reason, count]) => [reason, number(count)]),
    queued: number(ledger["queued"]),
    unflushed: number(ledger["unflushed"]),
  };
}

/** `code` and `detail` of a problem document (RFC 9457), as far as it is one. */
export function readProblem(answer: unknown): { code: string | undefined; detail: string | undefined } {
  const { code, detail } = isFields(answer) ? answer : {};
  return {
    code: typeof code === "string" ? code : undefined,
    detail: typeof detail === "string" ? detail : undefined,
  };
}

function fields(value: unknown): { readonly [field: string]: unknown } {
  if (!isFields(value)) throw unexpected("an object", value);
  return value;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw unexpected("a list", value);
  return value;
}

function number(value: unknown): number {
  if (typeof value !== "number") throw unexpected("a number", value);
  return value;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw unexpected("a text", value);
  return value;
}

function unexpected(what: string, value: unknown): TypeError {
  return new TypeError(`The server answered ${JSON.stringify(value)} where ${what} belongs`);
}
