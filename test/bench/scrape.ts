/**
 * Whether those who look keep others waiting: `/metrics`, `/stats`, `/topics` and a topic's detail, with many topics and
 * subscribers. A WebSocket pings meanwhile, and without; compared is its longest round trip.
 * `bun test/bench/scrape.ts [--topics N] [--looks N] [BINARY]`
 */
import { parseArgs } from "node:util";
import { z } from "zod";
import { startBinary, useBinary } from "../support/binary.ts";
import { Wire } from "../stress/wire.ts";
import { leaveServerItsCore, onCore, SERVER_CORE } from "./cores.ts";
import { Pinger, type Pings } from "./pinger.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { topics: { type: "string", default: "10000" }, looks: { type: "string", default: "40" } },
});
const count = z.coerce.number().int().min(100);
const topics = count.parse(values.topics);
const looks = z.coerce.number().int().min(1).parse(values.looks);
useBinary(positionals[0]);
leaveServerItsCore();

const EACH_MS = 250;
const SUBSCRIPTIONS_EACH = 100;
/** All of them subscribe to this topic once more, under as many ids. */
const CROWDED = "crowded";

const names = Array.from({ length: topics }, (_, i) => `topic-${i}`);
await using server = await startBinary(
  { TOPICS: [CROWDED, ...names].join(","), MAX_TOPICS: String(topics + 1) },
  undefined,
  (command) => onCore(SERVER_CORE, command),
);

/** One connection with a subscription to each of these. */
function subscribe(some: readonly { topic: string; client_id: string }[]): Promise<Wire> {
  const { promise, resolve, reject } = Promise.withResolvers<Wire>();
  let acked = 0;
  const wire = Wire.webSocket(server.port, {
    opened: () => some.forEach((one) => wire.send({ type: "subscribe", ...one })),
    frame: (frame) => {
      if (frame.type === "error") reject(new Error(JSON.stringify(frame)));
      if (frame.type === "ack" && ++acked === some.length) resolve(wire);
    },
    over: () => reject(new Error("A subscriber was closed")),
    failed: reject,
  });
  return promise;
}

for (let first = 0; first < topics; first += SUBSCRIPTIONS_EACH) {
  const some = names.slice(first, first + SUBSCRIPTIONS_EACH);
  await subscribe(some.map((topic) => ({ topic, client_id: "me" })));
  await subscribe(some.map((topic) => ({ topic: CROWDED, client_id: topic })));
}
const pinger = new Pinger(server.port);
await pinger.opened;

async function look(path: string): Promise<number> {
  let bytes = 0;
  for (let i = 0; i < looks; i++) {
    await Bun.sleep(EACH_MS);
    const response = await fetch(`${server.url}${path}`);
    if (response.status !== 200) throw new Error(`${path} was answered ${response.status}`);
    bytes = (await response.bytes()).byteLength;
  }
  return bytes;
}

const seconds = (looks * EACH_MS) / 1000 + 1;
const longest = ({ roundTrips }: Pings) => roundTrips.percentile(1);
const idle = await pinger.run(seconds);
const row = (what: string, pings: Pings, bytes: number) => ({
  "while looked at": what,
  bytes,
  "p50, ms": pings.roundTrips.percentile(0.5).toFixed(2),
  p99: pings.roundTrips.percentile(0.99).toFixed(2),
  longest: longest(pings).toFixed(2),
  "of that idle": (longest(pings) / longest(idle)).toFixed(2),
});
const rows = [row("nothing", idle, 0)];
for (const path of ["/metrics", "/stats", "/topics", `/topics/${CROWDED}`]) {
  const [pings, bytes] = await Promise.all([pinger.run(seconds), look(path)]);
  rows.push(row(path, pings, bytes));
}
console.log(`${topics} topics of one subscriber, one topic of ${topics}, ${looks} looks each`);
console.table(rows);
process.exit(0);
