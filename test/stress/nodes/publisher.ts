import { serverFrame } from "../../../src/protocol/sent-schema.ts";
import type { Random } from "../../support/random.ts";
import type { Facts } from "./facts.ts";

/** Picks a node. */
export type Where = () => { readonly url: string; readonly wsUrl: string };

const FILLER = "x".repeat(4096);
const IN_FLIGHT = 4;

/** Publishes to one node, a few at a time, and from time to time goes to another. */
export class NodePublisher {
  readonly #number: number;
  readonly #topics: readonly string[];
  readonly #where: Where;
  readonly #facts: Facts;
  readonly #random: Random;
  readonly #pending = new Map<string, { topic: string; message: string }>();
  #published = 0;
  #stopped = false;
  #over = Promise.resolve();

  constructor(number: number, topics: readonly string[], where: Where, facts: Facts, random: Random) {
    this.#number = number;
    this.#topics = topics;
    this.#where = where;
    this.#facts = facts;
    this.#random = random;
  }

  start(): void {
    this.#over = this.#live();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#over;
  }

  async #live(): Promise<void> {
    while (!this.#stopped) {
      await this.#session(1 + this.#random.int(4000));
      this.#facts.counts.unknown += this.#pending.size;
      this.#pending.clear();
      await Bun.sleep(20 + this.#random.int(200));
    }
  }

  /** One connection, for so many milliseconds at most. */
  async #session(ms: number): Promise<void> {
    const socket = new WebSocket(this.#where().wsUrl);
    const { promise, resolve } = Promise.withResolvers<void>();
    let isOver = false;
    const timer = setTimeout(() => (isOver = true), ms);
    const next = () => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (this.#stopped || isOver) {
        if (this.#pending.size === 0) socket.close();
        return;
      }
      this.#publish(socket);
    };
    socket.onopen = () => {
      for (let i = 0; i < IN_FLIGHT; i++) next();
    };
    socket.onmessage = ({ data }) => {
      const wasRefused = this.#answered(String(data));
      setTimeout(next, wasRefused ? 50 : this.#random.int(12));
    };
    socket.onclose = () => resolve();
    socket.onerror = () => resolve();
    await promise;
    clearTimeout(timer);
  }

  #publish(socket: WebSocket): void {
    const topic = this.#random.pick(this.#topics);
    const number = ++this.#published;
    const id = crypto.randomUUID();
    this.#pending.set(id, { topic, message: `${this.#number}/${number}` });
    const payload = [this.#number, number, FILLER.slice(0, this.#random.int(this.#random.chance(0.1) ? 4096 : 64))];
    socket.send(JSON.stringify({ type: "publish", request_id: id, topic, message: { id, payload } }));
  }

  /** Returns whether it was refused. */
  #answered(text: string): boolean {
    const frame = serverFrame.parse(JSON.parse(text));
    if (frame.type !== "ack" && frame.type !== "error") return false;
    const id = String("request_id" in frame ? frame.request_id : "");
    const asked = this.#pending.get(id);
    if (asked === undefined) return false;
    this.#pending.delete(id);
    if (frame.type === "error") {
      this.#facts.counts[/not known/.test(frame.error.message) ? "unknown" : "refused"]++;
      if (frame.error.code !== "UNAVAILABLE" && frame.error.code !== "SHUTTING_DOWN") {
        this.#facts.fault(`a publish was answered ${text}`);
      }
      return true;
    }
    if ("epoch" in frame) this.#facts.acked(asked.topic, frame.epoch, frame.seq, asked.message);
    return false;
  }
}
