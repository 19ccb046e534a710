import type { Random } from "../../support/random.ts";
import { RedisServer } from "../../support/redis.ts";
import { ENGINE_TIMEOUT_MS, OPTIONS, type World } from "./world.ts";

type Blow = {
  readonly name: string;
  /** Whether topics may begin new epochs by it. */
  readonly endsEpochs: boolean;
  strike(world: World, random: Random): Promise<void>;
};

const pause = (random: Random, most: number) => Bun.sleep(50 + random.int(most));

/** Everything that goes wrong with several nodes over one Redis. */
export const BLOWS: readonly Blow[] = [
  {
    name: "a node is killed",
    endsEpochs: false,
    strike: async ({ nodes }, random) => {
      const node = random.pick(nodes);
      await node.kill("SIGKILL");
      await pause(random, 1500);
      await node.start();
    },
  },
  {
    name: "a node is shut down",
    endsEpochs: false,
    strike: async ({ nodes }, random) => {
      const node = random.pick(nodes);
      await node.kill("SIGTERM");
      await pause(random, 500);
      await node.start();
    },
  },
  {
    name: "Redis is paused",
    endsEpochs: false,
    strike: async ({ redis }, random) => {
      await redis.signal("SIGSTOP");
      await pause(random, 3 * ENGINE_TIMEOUT_MS);
      await redis.signal("SIGCONT");
    },
  },
  {
    name: "a node is paused",
    endsEpochs: false,
    strike: async ({ nodes }, random) => {
      const { started } = random.pick(nodes);
      started?.process.kill("SIGSTOP");
      await pause(random, 3000);
      started?.process.kill("SIGCONT");
    },
  },
  {
    name: "Redis is restarted with its data",
    endsEpochs: true,
    strike: async ({ redis }, random) => {
      await redis.signal(random.chance(0.5) ? "SIGKILL" : "SIGTERM");
      await pause(random, 2 * ENGINE_TIMEOUT_MS);
      await redis.start();
    },
  },
  {
    name: "Redis is restarted without its data",
    endsEpochs: true,
    strike: async ({ redis }, random) => {
      await redis.signal("SIGKILL");
      redis.clear();
      await pause(random, 2 * ENGINE_TIMEOUT_MS);
      await redis.start();
    },
  },
  {
    name: "Redis is flushed",
    endsEpochs: true,
    strike: async ({ redis }) => void (await redis.send("FLUSHALL", [])),
  },
  {
    name: "the channels' connections are killed",
    endsEpochs: false,
    strike: async ({ redis }) => void (await redis.send("CLIENT", ["KILL", "TYPE", "pubsub"])),
  },
  {
    name: "the scripts are forgotten",
    endsEpochs: false,
    strike: async ({ redis }) => void (await redis.send("SCRIPT", ["FLUSH"])),
  },
  {
    name: "the network of a node is cut",
    endsEpochs: false,
    strike: async ({ nodes }, random) => {
      const { line } = random.pick(nodes);
      line.refuse();
      line.cut();
      await pause(random, 2 * ENGINE_TIMEOUT_MS);
      line.admit();
    },
  },
  {
    name: "a replica that is behind takes over",
    endsEpochs: true,
    strike: async (world, random) => {
      const master = world.redis;
      const replica = await RedisServer.start(...OPTIONS);
      await replica.follow(master);
      // From here on it is behind.
      await replica.send("REPLICAOF", ["NO", "ONE"]);
      await pause(random, 500);
      world.redis = replica;
      for (const { line } of world.nodes) line.cut();
      await master[Symbol.asyncDispose]();
    },
  },
];
