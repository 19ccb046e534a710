/**
 * The load, in a process of its own: opens raw connections, subscribes, publishes, and counts the frames that come back
 * without reading more of them than their length. Prints its result as one line of JSON.
 */
import type { Socket } from "bun";
import { turn } from "../support/turn.ts";
import { encodeClientFrame, UPGRADE } from "../support/websocket-frames.ts";
import { cpuSeconds, residentBytes } from "./process-usage.ts";
import { loadSchema, type Result } from "./workloads.ts";

const load = loadSchema.parse(JSON.parse(process.argv[2] ?? ""));
const MARK = "@@";
const headers: Record<string, string> = load.token === undefined ? {} : { Authorization: `Bearer ${load.token}` };
const headerLines = Object.entries(headers)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join("");

const latencies: number[] = [];
let delivered = 0;

/** Counts server frames (RFC 6455 §5.2) in a stream that is cut anywhere. */
class Frames {
  #upgraded = false;
  #head: number[] = [];
  #skip = 0;

  /** How many frames end in this chunk. */
  count(chunk: Buffer): number {
    let at = 0;
    if (!this.#upgraded) {
      const end = chunk.indexOf("\r\n\r\n");
      if (end < 0) return 0;
      this.#upgraded = true;
      at = end + 4;
    }
    let frames = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, chunk.length - at);
        this.#skip -= step;
        at += step;
        if (this.#skip === 0) frames++;
        continue;
      }
      this.#head.push(chunk[at++] ?? 0);
      const short = this.#head[1];
      if (short === undefined) continue;
      const extra = short < 126 ? 0 : short === 126 ? 2 : 8;
      if (this.#head.length < 2 + extra) continue;
      this.#skip = extra === 0 ? short : this.#head.slice(2).reduce((length, byte) => length * 256 + byte, 0);
      this.#head = [];
    }
    return frames;
  }
}

class Peer {
  readonly frames = new Frames();
  socket: Socket | undefined;
  /** Resolves with the first frame: for a subscriber its ack. */
  readonly ready = Promise.withResolvers<void>();
  counting = false;
  sampled = false;
  #unsent: Buffer = Buffer.alloc(0);

  async open(): Promise<void> {
    this.socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: load.port,
      socket: { data: (_, chunk) => this.#data(chunk), drain: () => this.send(Buffer.alloc(0)) },
    });
    this.send(Buffer.from(UPGRADE.replace("\r\n\r\n", `\r\n${headerLines}\r\n`)));
  }

  send(bytes: Buffer): void {
    const all = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    const sent = all.length === 0 ? 0 : (this.socket?.write(all) ?? 0);
    this.#unsent = all.subarray(Math.max(0, sent));
  }

  #data(chunk: Buffer): void {
    const frames = this.frames.count(chunk);
    if (frames === 0) return;
    this.ready.resolve();
    if (!this.counting) return;
    delivered += frames;
    if (this.sampled) sample(chunk);
  }
}

function sample(chunk: Buffer): void {
  const now = performance.now();
  for (let at = chunk.indexOf(MARK); at >= 0; at = chunk.indexOf(MARK, at + 18)) {
    const sentAt = Number(chunk.toString("latin1", at + 2, at + 18));
    if (sentAt > 0) latencies.push((now - sentAt) * 1000);
  }
}

const topicOf = (index: number) => `${load.prefix}${index % load.topics}`;
const filler = "x".repeat(Math.max(0, load.size - 30));

function publishFrame(topic: string): Buffer {
  const mark = MARK + performance.now().toFixed(4).padStart(16, "0");
  const id = "550e8400-e29b-41d4-a716-446655440000";
  const payload = `{"m":"${mark}${filler}"}`;
  return encodeClientFrame(
    `{"type":"publish","topic":"${topic}","message":{"id":"${id}","payload":${payload}},"request_id":"p"}`,
  );
}

async function connectAll(): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (let first = 0; first < load.subscribers; first += 100) {
    const some = Array.from({ length: Math.min(100, load.subscribers - first) }, () => new Peer());
    await Promise.all(some.map((peer) => peer.open()));
    for (const [i, peer] of some.entries()) {
      const frame = { type: "subscribe", topic: topicOf(first + i), client_id: `c${first + i}`, request_id: "s" };
      peer.send(encodeClientFrame(JSON.stringify(frame)));
    }
    await Promise.all(some.map((peer) => peer.ready.promise));
    peers.push(...some);
  }
  return peers;
}

for (let i = 0; i < load.topics; i++) {
  await fetch(`http://127.0.0.1:${load.port}/topics`, {
    method: "POST",
    headers,
    body: JSON.stringify({ name: topicOf(i) }),
  });
}
const residentBefore = residentBytes(load.pid);
const subscribers = await connectAll();
const healthy = load.subscribers - load.stalled;
for (const [i, peer] of subscribers.entries()) {
  if (i >= healthy) peer.socket?.pause();
  peer.counting = i < healthy;
  peer.sampled = load.mode === "latency" && i % 20 === 0;
}
const publishers = Array.from({ length: load.publishers }, () => new Peer());
await Promise.all(publishers.map((peer) => peer.open()));

const cpuBefore = cpuSeconds(load.pid);
const ownBefore = process.cpuUsage();
const begun = performance.now();
const perMessage = healthy / load.topics;
let published = 0;
const publish = () => {
  publishers[published % load.publishers]?.send(publishFrame(topicOf(published)));
  published++;
};
const elapsed = () => (performance.now() - begun) / 1000;

if (load.mode === "idle") await Bun.sleep(load.seconds * 1000);
while (load.mode !== "idle" && elapsed() < load.seconds) {
  const due = load.mode === "fanout" ? load.window + Math.floor(delivered / perMessage) : elapsed() * load.rate;
  while (published < due) publish();
  await turn();
}
const expected = load.mode === "idle" ? 0 : published * perMessage;
const patience = elapsed() + 5;
while (delivered < expected && elapsed() < patience) await turn();

const seconds = elapsed();
const serverCpu = cpuSeconds(load.pid) - cpuBefore;
const own = process.cpuUsage(ownBefore);
latencies.sort((a, b) => a - b);
const percentile = (p: number) => latencies[Math.floor(latencies.length * p)] ?? 0;
const result: Result = {
  published,
  delivered,
  expected,
  seconds,
  serverCpu,
  loadCpu: (own.user + own.system) / 1e6,
  p50Us: percentile(0.5),
  p99Us: percentile(0.99),
  residentBefore,
  residentAfter: residentBytes(load.pid),
};
console.log(JSON.stringify(result));
process.exit(0);
