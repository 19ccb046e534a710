/**
 * The load of several nodes, in a process of its own: publishes as fast as acks come back, or as fast as the slowest subscriber
 * of a topic gets its events, and says how much that was. It waits for its sockets and never polls: it shares its cores with
 * those that it measures.
 */
import { given, say } from "../support/helper-process.ts";
import { Latencies } from "../support/latencies.ts";
import { encodeClientFrame } from "../support/websocket-frames.ts";
import { fail, FrameSocket, type FrameKind } from "./frame-socket.ts";
import { workSchema, type Done } from "./nodes-messages.ts";
import { cpuSeconds, idleSeconds } from "./process-usage.ts";

const work = given(workSchema);
const { ports, window } = work;
const PAYLOAD = "x".repeat(128);
const ID = "550e8400-e29b-41d4-a716-446655440000";

let count = 0;
let latencies = new Latencies();

const topicOf = (index: number) => `${work.prefix}${index % work.publishers}`;
const portOf = (index: number) => ports[index % ports.length] ?? 0;

/** As many publishes of one topic as may be in flight, one after another. */
class Publishes {
  readonly #all: Buffer;
  readonly #size: number;

  constructor(topic: string, ack: boolean) {
    const frame = { type: "publish", topic, message: { id: ID, payload: PAYLOAD }, ...(!ack && { ack }) };
    const one = encodeClientFrame(JSON.stringify(frame));
    this.#size = one.length;
    this.#all = Buffer.concat(Array.from({ length: window }, () => one));
  }

  some(messages: number): Buffer {
    return this.#all.subarray(0, messages * this.#size);
  }
}

function refuseAll(kind: FrameKind, bytes: Buffer, start: number, end: number): void {
  if (kind !== "other") fail(`Nobody asked for ${bytes.toString("utf8", start, end)}`);
}

/** Keeps publishes in flight on one connection, and counts their acks. */
async function publishForAcks(index: number): Promise<void> {
  const publishes = new Publishes(topicOf(index), true);
  /** When those in flight were sent. Acks come in the order of publishes. */
  const sent = new Float64Array(window);
  let next = 0;
  let acked = 0;
  const publish = (messages: number) => {
    const now = performance.now();
    for (let i = 0; i < messages; i++) sent[(next + i) % window] = now;
    socket.write(publishes.some(messages));
  };
  const socket = await FrameSocket.open(portOf(index), {
    frame: (kind, bytes, start, end) => (kind === "ack" ? acked++ : refuseAll(kind, bytes, start, end)),
    read: () => {
      if (acked === 0) return;
      const now = performance.now();
      for (let i = 0; i < acked; i++) latencies.add(now - (sent[(next + i) % window] ?? 0));
      count += acked;
      const again = acked;
      acked = 0;
      publish(again);
      next = (next + again) % window;
    },
  });
  publish(window);
}

/** A topic, the messages of which are in flight until its last subscriber has them. */
class Topic {
  readonly #publishes: Publishes;
  readonly #socket: FrameSocket;
  #subscribers = 0;
  #published = 0;
  #completed = 0;
  /** How many subscribers have each of the messages in flight. */
  readonly #arrived = new Int32Array(window);

  constructor(name: string, socket: FrameSocket) {
    this.#publishes = new Publishes(name, false);
    this.#socket = socket;
  }

  join(): void {
    this.#subscribers++;
  }

  /** A subscriber has its next message. */
  arrived(number: number): void {
    const at = number % window;
    const have = (this.#arrived[at] ?? 0) + 1;
    this.#arrived[at] = have < this.#subscribers ? have : 0;
    if (have === this.#subscribers) this.#completed++;
  }

  publish(): void {
    const free = window - (this.#published - this.#completed);
    if (free === 0) return;
    this.#published += free;
    this.#socket.write(this.#publishes.some(free));
  }
}

let topics: Topic[] = [];
/** From when all are subscribed. */
let isPublishing = false;
let isPublishDue = false;

/** What all sockets have brought in this turn is published together. */
function publishSoon(): void {
  if (!isPublishing || isPublishDue) return;
  isPublishDue = true;
  setImmediate(() => {
    isPublishDue = false;
    for (const topic of topics) topic.publish();
  });
}

async function subscribe(index: number): Promise<void> {
  const topic = topics[index % topics.length] ?? fail("There is no topic");
  const ready = Promise.withResolvers<void>();
  let number = 0;
  const socket = await FrameSocket.open(portOf(Math.floor(index / topics.length)), {
    frame: (kind, bytes, start, end) => {
      if (kind === "event") {
        topic.arrived(number++);
        count++;
      } else if (kind === "ack") ready.resolve();
      else refuseAll(kind, bytes, start, end);
    },
    read: publishSoon,
  });
  socket.send({ type: "subscribe", topic: topicOf(index), client_id: `c${index}` });
  await ready.promise;
  topic.join();
}

const usage = () => {
  const own = process.cpuUsage();
  return {
    nodes: work.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
    redis: work.redis === undefined ? 0 : cpuSeconds(work.redis),
    load: (own.user + own.system) / 1e6,
    idle: idleSeconds(2),
  };
};
const each = <T>(length: number, make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length }, (_, i) => make(i)));

if (work.mode === "acks") await each(work.publishers, publishForAcks);
else {
  topics = await each(work.publishers, async (index) => {
    return new Topic(topicOf(index), await FrameSocket.open(portOf(index), { frame: refuseAll }));
  });
  await each(work.subscribers, subscribe);
  isPublishing = true;
  publishSoon();
}
await Bun.sleep(work.warmUp * 1000);
latencies = new Latencies();
count = 0;
const before = usage();
const begun = performance.now();
await Bun.sleep(work.seconds * 1000);
const seconds = (performance.now() - begun) / 1000;
const after = usage();
const counted = count;
if (counted === 0) fail("Nothing has come back while it was measured");
const isTimed = latencies.count > 0;
const done: Done = {
  seconds,
  count: counted,
  p50: isTimed ? latencies.percentile(0.5) : null,
  p99: isTimed ? latencies.percentile(0.99) : null,
  cpu: {
    nodes: after.nodes - before.nodes,
    redis: after.redis - before.redis,
    load: after.load - before.load,
    idle: after.idle - before.idle,
  },
};
say(done);
process.exit(0);
