import { topicDetail } from "../../support/answers.ts";
import { Random } from "../../support/random.ts";
import { health } from "../../support/server.ts";
import { BLOWS } from "./chaos.ts";
import { Facts } from "./facts.ts";
import { NodePublisher } from "./publisher.ts";
import { NodeSubscriber } from "./subscriber.ts";
import { World } from "./world.ts";

export type NodesPlan = {
  seed: number;
  seconds: number;
  nodes?: number;
  /** Only blows whose name has this. */
  only?: string;
};

const TOPICS = ["a", "b", "c", "d{e}"];
const PUBLISHERS = 4;
const SUBSCRIBERS = 12;

/** How long everything may take to come to rest, in milliseconds. */
const REST_MS = 30_000;

/**
 * Publishers and subscribers that move between nodes, while nodes and Redis are struck by all that can happen to them.
 *
 * @returns what was counted
 * @throws with all faults, if any publish that was acknowledged is neither delivered once nor told as lost to a subscriber, or
 * two saw different orders
 */
export async function runNodes({ seed, seconds, nodes = 3, only = "" }: NodesPlan, say: (line: string) => void) {
  const random = new Random(seed);
  const facts = new Facts();
  await using world = await World.open(nodes, TOPICS, (line) => facts.fault(line));
  /** A node that is there; nowhere, if none is. */
  const nowhere = { url: "http://127.0.0.1:1", wsUrl: "ws://127.0.0.1:1/ws" };
  const where = () => (world.running.length > 0 ? random.pick(world.running) : nowhere);
  const publishers = Array.from({ length: PUBLISHERS }, (_, number) => {
    return new NodePublisher(number, TOPICS, where, facts, new Random(random.int(2 ** 31)));
  });
  const subscribers = Array.from({ length: SUBSCRIBERS }, (_, number) => {
    const topic = TOPICS[number % TOPICS.length] ?? "";
    const transport = number < SUBSCRIBERS / 2 ? "websocket" : "sse";
    return new NodeSubscriber({ name: `s${number}`, topic, transport }, where, facts, new Random(random.int(2 ** 31)));
  });
  for (const one of [...subscribers, ...publishers]) one.start();
  const blows = BLOWS.filter(({ name }) => name.includes(only));
  const struck = new Map<string, number>();
  let epochsEnded = 0;
  const deadline = Date.now() + 1000 * seconds;
  // Each of them once, and then at random.
  for (const next = [...blows]; Date.now() < deadline && facts.faults.length === 0;) {
    await Bun.sleep(200 + random.int(1500));
    const blow = next.length > 0 ? next.splice(random.int(next.length), 1)[0] : random.pick(blows);
    if (blow === undefined) continue;
    struck.set(blow.name, (struck.get(blow.name) ?? 0) + 1);
    if (blow.endsEpochs) epochsEnded++;
    say(`${blow.name}; ${facts.counts.acked} acked, ${facts.counts.received} received`);
    await blow.strike(world, random);
  }
  for (const subscriber of subscribers) subscriber.settle();
  await Bun.sleep(1500);
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  await comesToRest(world, subscribers, facts);
  for (const subscriber of subscribers) await subscriber.stop();
  // A new epoch hides what was lost, so there may be no more of them than reasons.
  for (const topic of TOPICS) {
    const epochs = facts.epochsOf(topic);
    if (epochs > 1 + epochsEnded) facts.fault(`${topic} has had ${epochs} epochs, and ${epochsEnded} were ended`);
  }
  if (facts.faults.length > 0) throw new Error(`SEED=${seed}\n${facts.faults.join("\n")}`);
  return { counts: facts.counts, struck: Object.fromEntries(struck), epochsEnded };
}

/** Everybody has to get to where its topic stands, which all nodes have to agree on. */
async function comesToRest(world: World, subscribers: readonly NodeSubscriber[], facts: Facts): Promise<void> {
  const deadline = Date.now() + REST_MS;
  for (let left: string[] = ["nothing was looked at"]; left.length > 0; await Bun.sleep(200)) {
    try {
      left = await restless(world, subscribers, facts);
    } catch (cause) {
      left = [String(cause)];
    }
    if (Date.now() > deadline) return left.forEach((text) => facts.fault(text));
  }
}

async function restless(world: World, subscribers: readonly NodeSubscriber[], facts: Facts): Promise<string[]> {
  const left: string[] = [];
  for (const node of world.running) {
    const counted = (await health(node)).subscribers;
    if (counted !== SUBSCRIBERS) left.push(`${counted} subscribers are counted, and there are ${SUBSCRIBERS}`);
  }
  for (const topic of TOPICS) {
    const details = await Promise.all(world.running.map((node) => topicDetail(node, topic)));
    const heads = details.map(({ epoch, seq }) => `${epoch}:${seq}`);
    if (new Set(heads).size !== 1) left.push(`nodes have ${topic} at ${heads.join(" and ")}`);
    const { epoch, seq } = details[0] ?? { epoch: "", seq: 0 };
    if (facts.newest(topic, epoch) > seq)
      left.push(`${topic} ${epoch}:${facts.newest(topic, epoch)} was acked, and it stands at ${seq}`);
    const expected = subscribers.filter((subscriber) => subscriber.topic === topic);
    const there = details[0]?.subscribers.map(({ client_id }) => client_id) ?? [];
    const names = expected.map(({ name }) => name).sort();
    if (JSON.stringify(there) !== JSON.stringify(names))
      left.push(`${topic} has ${there.join()} and not ${names.join()}`);
    for (const { name, position } of expected) {
      if (position?.epoch === epoch && position.seq === seq) continue;
      left.push(`${name} of ${topic} is at ${position?.epoch}:${position?.seq}, and not at ${epoch}:${seq}`);
    }
  }
  return left;
}
