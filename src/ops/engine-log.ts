import { ProtocolError } from "../protocol/codes.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";
import type { Throttle } from "./throttle.ts";

/** Writes what happens between this node and Redis into the log, and counts it. */
export class EngineLog {
  readonly #log: Logger;
  readonly #throttle: Throttle;
  readonly #metrics: Metrics;

  constructor(log: Logger, throttle: Throttle, metrics: Metrics) {
    this.#log = log;
    this.#throttle = throttle;
    this.#metrics = metrics;
  }

  opened(connection: string, isFirst: boolean): void {
    if (isFirst) return this.#log.debug("the engine is connected", { connection });
    this.#metrics.engine.reconnects++;
    this.#log.info("the engine is connected again", { connection });
  }

  lost(connection: string, reason: string): void {
    this.#log.warn("the engine cannot be reached: trying again", { connection, reason });
  }

  published(messages: number): void {
    this.#metrics.published(messages);
  }

  filled(messages: number): void {
    if (messages === 0) return;
    this.#metrics.engine.filled += messages;
    this.#throttle.info("messages that a channel had lost were read from the stream", { messages });
  }

  probeLost(): void {
    this.#metrics.engine.probesLost++;
    this.#throttle.warn("a channel of the engine lost what this node sent to itself: it is heard anew", {});
  }

  dataLost(topics: number): void {
    this.#log.error("the engine has lost its data: the topics that this node knows begin new epochs", { topics });
  }

  nodeGone(node: string): void {
    this.#log.warn("a node gave no sign of life: its subscribers' ids are free", { node });
  }

  failed(cause: unknown): void {
    // That the engine is away, or a topic is gone, is told elsewhere.
    if (cause instanceof ProtocolError && cause.code !== "INTERNAL") {
      return this.#log.debug("the engine did not do what it was asked for in the background", { cause });
    }
    this.#log.error("fault in the engine", { cause });
  }
}
