import type { NodeInfo } from "../../protocol/nodes.ts";
import type { LocalBroker } from "../engine.ts";
import type { Keys } from "./keys.ts";
import type { RedisLink } from "./link.ts";

/** What operators may want to know of the engine. */
export interface EngineObserver {
  /** So many messages have got their place through this node. */
  published(messages: number): void;
  /** So many messages came late: their channel had lost them. */
  filled(messages: number): void;
  /** A channel lost what this node sent to itself: it is heard anew. */
  probeLost(): void;
  /** Redis lost its data. So many topics were put back, each in a new epoch. */
  dataLost(topics: number): void;
  /** A node gave no sign of life: its client ids are free. */
  nodeGone(name: string): void;
  /** Something in the background failed. */
  failed(cause: unknown): void;
}

export type RedisEnginePorts = {
  broker: LocalBroker;
  link: RedisLink;
  keys: Keys;
  observer: EngineObserver;
  /** Makes a short random string, never the same one twice. */
  makeEpoch(): string;
  /** A time as the protocol writes it. */
  isoOf(ms: number): string;
  /** What this node is called. */
  id: string;
  /** What this process shows of itself, once it listens. */
  node(): NodeInfo;
  /** Runs work once, after so many milliseconds. Returns what calls it off. */
  after(ms: number, work: () => void): () => void;
  /** Runs work in the next turn of the event loop. */
  soon(work: () => void): void;
  /** Topics that are there from the start. */
  topics: readonly string[];
};
