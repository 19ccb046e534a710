/**
 * What an engine over Redis would cost: of a script that numbers, keeps and announces a message, of nodes that follow topics, and
 * of topics that are only there. Starts a `redis-server` of its own, on a free port, which keeps nothing.
 * `bun test/bench/redis.ts [--publishes N] [--topics N]`
 */
import { RedisClient } from "bun";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { Keys } from "../../src/engine/redis/keys.ts";
import { SCRIPTS } from "../../src/engine/redis/scripts.ts";
import { SEPARATOR } from "../../src/engine/redis/wire.ts";
import { leaveServerItsCore, onCore, SERVER_CORE } from "./cores.ts";

const { values } = parseArgs({
  options: { publishes: { type: "string", default: "50000" }, topics: { type: "string", default: "100000" } },
});
const count = z.coerce.number().int().min(1000);
const publishes = count.parse(values.publishes);
const topics = count.parse(values.topics);

/** Topics that are published to in turn, and that each node follows. */
const BUSY = 100;
const UNDER_WAY = 200;
const HISTORY = 100;
const PAYLOAD = "x".repeat(128);

const keys = new Keys("bench:", "0");

const folder = mkdtempSync(join(tmpdir(), "pubsub-redis-"));
leaveServerItsCore();
const socket = join(folder, "socket");
const options = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder];
const server = Bun.spawn(onCore(SERVER_CORE, ["redis-server", ...options]), { stdout: "ignore", stderr: "inherit" });
const connect = async () => {
  const client = new RedisClient(`redis+unix://${socket}`);
  await client.connect();
  return client;
};
while (!existsSync(socket)) await Bun.sleep(10);
const redis = await connect();

async function info(section: string, field: string): Promise<number> {
  const text = z.string().parse(await redis.send("INFO", [section]));
  return Number(new RegExp(`^${field}:([0-9.]+)`, "m").exec(text)?.[1]);
}
const cpuSeconds = async () => (await info("cpu", "used_cpu_user")) + (await info("cpu", "used_cpu_sys"));
const memory = () => info("memory", "used_memory");

/** Does `work` for each number below `most`, so many at a time. */
async function inParallel(most: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < most) await work(next++);
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, worker));
}

const load = async (script: string) => z.string().parse(await redis.send("SCRIPT", ["LOAD", script]));
const shas = { open: await load(SCRIPTS.open), publish: await load(SCRIPTS.publish) };
await redis.send("HSET", [keys.state, "life", "life"]);

/** Runs a script of a topic as a node does. */
function run(sha: string, topic: string, args: readonly string[]): Promise<unknown> {
  const { head, stream, ids, members, channel } = keys.topic(topic);
  const common = ["run", "abcdef012345", "", "0", channel, topic, "life"].join(SEPARATOR);
  return redis.send("EVALSHA", [sha, "6", head, stream, ids, members, keys.topics, keys.state, common, ...args]);
}

const create = (topic: string) => run(shas.open, topic, ["ensure", "100000000", "abcdef012346", "born", ""]);
const id = crypto.randomUUID();
const publish = (topic: string) =>
  run(shas.publish, topic, [["tag", HISTORY, HISTORY, 0, "", "", "", "born"].join(SEPARATOR), `${id}${PAYLOAD}`]);

/** What a publish costs while so many nodes follow its topic. */
async function publishing(nodes: number) {
  const followers: RedisClient[] = [];
  let heard = 0;
  for (let i = 0; i < nodes; i++) {
    const follower = await connect();
    for (let topic = 0; topic < BUSY; topic++)
      await follower.subscribe(keys.topic(`busy${topic}`).channel, () => void heard++);
    followers.push(follower);
  }
  const [cpu, begun, own] = [await cpuSeconds(), performance.now(), process.cpuUsage()];
  await inParallel(publishes, (index) => publish(`busy${index % BUSY}`));
  while (heard < nodes * publishes) await Bun.sleep(1);
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(own);
  for (const follower of followers) follower.close();
  return {
    "nodes that follow": nodes,
    "µs of Redis a publish": (((await cpuSeconds()) - cpu) * 1e6) / publishes,
    "publishes a second": Math.round(publishes / seconds),
    "µs of the publisher and all nodes": (user + system) / publishes,
  };
}

try {
  for (let topic = 0; topic < BUSY; topic++) await create(`busy${topic}`);
  await inParallel(publishes, (index) => publish(`busy${index % BUSY}`));
  const rows = [];
  for (const nodes of [0, 1, 5, 10]) rows.push(await publishing(nodes));
  console.table(rows);

  const bytes = { before: await memory(), created: 0, first: 0, more: 0 };
  await inParallel(topics, (index) => create(`quiet${index}`));
  bytes.created = await memory();
  const some = topics / 100;
  await inParallel(some, (index) => publish(`quiet${index}`));
  bytes.first = await memory();
  await inParallel(some * (HISTORY - 1), (index) => publish(`quiet${index % some}`));
  bytes.more = await memory();
  const follower = await connect();
  await inParallel(some, (index) => follower.subscribe(keys.topic(`quiet${index}`).channel, () => {}));
  const followed = await memory();
  const [cpu, begun] = [await cpuSeconds(), performance.now()];
  await inParallel(topics, (index) => redis.send("HGET", [keys.topic(`quiet${index}`).head, "seq"]));
  console.table({
    "bytes of a topic without messages": (bytes.created - bytes.before) / topics,
    "bytes of its first message of 128": (bytes.first - bytes.created) / some,
    "bytes of each further": (bytes.more - bytes.first) / (some * (HISTORY - 1)),
    "bytes of a topic that one node follows": (followed - bytes.more) / some,
    "µs of Redis to tell a head": (((await cpuSeconds()) - cpu) * 1e6) / topics,
    "heads told a second": Math.round((topics * 1000) / (performance.now() - begun)),
  });
} finally {
  server.kill();
  await server.exited;
  rmSync(folder, { recursive: true });
}
process.exit(0);
