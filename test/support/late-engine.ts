import type { Claim, Engine, Subscribing } from "../../src/engine/engine.ts";
import { ProtocolError } from "../../src/protocol/codes.ts";
import type { Published } from "../../src/protocol/encode.ts";
import type { HistoryRange, Publication } from "../../src/protocol/messages.ts";
import type { SubscriberPage } from "../../src/protocol/nodes.ts";
import { Random } from "./random.ts";

/**
 * An engine that answers late, in bursts, and sometimes with a failure: what it is asked for waits, and some turns later all
 * that waits is done at once, in the order in which it was asked for.
 */
export class LateEngine implements Engine {
  readonly #engine: Engine;
  readonly #random: Random;
  readonly #failing: number;
  #waiting: (() => void)[] = [];
  /** How many publishes were under way at once, at the most. */
  mostUnderWay = 0;

  /** @param failing which part of all requests fails, 0 to 1 */
  constructor(engine: Engine, random: Random, failing = 0) {
    this.#engine = engine;
    this.#random = random;
    this.#failing = failing;
  }

  get away() {
    return this.#engine.away;
  }

  close() {
    return this.#engine.close();
  }

  release() {
    return this.#engine.release();
  }

  createTopic(name: string) {
    return this.#later(() => this.#engine.createTopic(name));
  }

  deleteTopic(name: string) {
    return this.#later(() => this.#engine.deleteTopic(name));
  }

  listTopics() {
    return this.#later(() => this.#engine.listTopics());
  }

  findTopic(name: string) {
    return this.#later(() => this.#engine.findTopic(name));
  }

  subscribe<T>(name: string, claim: Claim, subscribing: Subscribing<T>) {
    return this.#later(() => this.#engine.subscribe(name, claim, subscribing));
  }

  left(name: string, clientId: string): void {
    this.#engine.left(name, clientId);
  }

  totals() {
    return this.#later(() => this.#engine.totals());
  }

  nodes() {
    return this.#later(() => this.#engine.nodes());
  }

  topicDetail(name: string, page: SubscriberPage) {
    return this.#later(() => this.#engine.topicDetail(name, page));
  }

  publish(name: string, publication: Publication, accepted: (published: Published) => void) {
    return this.#later(() => this.#engine.publish(name, publication, accepted));
  }

  history(name: string, range: HistoryRange) {
    return this.#later(() => this.#engine.history(name, range));
  }

  async #later<T>(work: () => T | Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#waiting.push(resolve) === 1) this.#answerAfter(this.#random.int(4));
    this.mostUnderWay = Math.max(this.mostUnderWay, this.#waiting.length);
    await promise;
    if (this.#random.chance(this.#failing)) throw new ProtocolError("UNAVAILABLE", "The engine cannot be reached");
    return work();
  }

  #answerAfter(turns: number): void {
    setImmediate(() => {
      if (turns > 0) return this.#answerAfter(turns - 1);
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const resolve of waiting) resolve();
    });
  }
}
