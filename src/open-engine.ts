import type { Config } from "./config.ts";
import type { Engine, LocalBroker } from "./engine/engine.ts";
import { MemoryEngine } from "./engine/memory.ts";
import { Keys } from "./engine/redis/keys.ts";
import { RedisEngine } from "./engine/redis/redis.ts";
import type { Clock } from "./ops/clock.ts";
import { EngineLog } from "./ops/engine-log.ts";
import type { Logger } from "./ops/logger.ts";
import type { Metrics } from "./ops/metrics.ts";
import type { Throttle } from "./ops/throttle.ts";
import type { NodeInfo } from "./protocol/nodes.ts";
import { BunRedisLink } from "./redis/link.ts";

export type EngineParts = {
  broker: LocalBroker;
  clock: Clock;
  log: Logger;
  throttle: Throttle;
  metrics: Metrics;
  id: string;
  node(): NodeInfo;
  /** Runs work in the next turn of the event loop. */
  soon(work: () => void): void;
};

/** Makes the engine that the configuration names, with the topics that are there from the start. */
export function openEngine(
  config: Config,
  { broker, clock, log, throttle, metrics, id, node, soon }: EngineParts,
): Engine {
  const makeEpoch = () => crypto.getRandomValues(new Uint8Array(6)).toHex();
  const topics = [...new Set([...(config.topics ?? []), ...(config.topicsFile ?? [])])];
  if (config.engine === "memory") {
    const published = (messages: number) => metrics.published(messages);
    const memory = new MemoryEngine(config, { broker, clock, makeEpoch, node, published });
    for (const name of topics) memory.createTopic(name);
    return memory;
  }
  const observer = new EngineLog(log, throttle, metrics);
  const url = new URL(config.engine);
  const ca = config.engineCaFile === undefined ? undefined : { ca: config.engineCaFile };
  const link = new BunRedisLink({
    url: config.engine,
    tls: url.protocol === "rediss:" ? (ca ?? true) : undefined,
    timeoutMs: config.engineTimeoutMs,
    observe: (seconds) => metrics.engine.roundTrips.observe(seconds),
    lost: (what, reason) => observer.lost(what, reason),
    opened: (what, isFirst) => observer.opened(what, isFirst),
    failed: (cause) => observer.failed(cause),
  });
  const after = (ms: number, work: () => void) => {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  };
  const isoOf = (ms: number) => clock.isoOf(ms);
  const keys = new Keys(config.enginePrefix, url.pathname.slice(1) || "0");
  return new RedisEngine(config, { broker, link, keys, observer, makeEpoch, isoOf, id, node, after, soon, topics });
}
