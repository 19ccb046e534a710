import type { ServerFrame } from "../protocol/frames.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { PASSING, PubSubError } from "./errors.ts";
import { Timers } from "./timers.ts";

/** A subscription that was left. */
type Left = { topic: string; clientId: string; backoff: Backoff };

export type DeparturesPorts = {
  send(text: string): void;
  backoff: BackoffOptions | undefined;
  /** The server cannot end a subscription to the topic now. Nothing may subscribe to it until it has. */
  refused(topic: string, problem: PubSubError): void;
  /** It has ended it now. */
  done(topic: string): void;
};

/**
 * Ends subscriptions at the server: again and again, if it cannot do that now. Until then it still sends the events of the
 * old one, which must not be taken for those of another subscription to the topic.
 */
export class Departures {
  readonly #ports: DeparturesPorts;
  readonly #byRequest = new Map<string, Left>();
  /** Those that the server could not end so far. */
  readonly #refused = new Set<Left>();
  readonly #retries = new Timers<string>();
  #asked = 0;

  constructor(ports: DeparturesPorts) {
    this.#ports = ports;
  }

  /** Whether the server could not end a subscription to the topic so far. */
  blocks(topic: string): boolean {
    return [...this.#refused].some((left) => left.topic === topic);
  }

  add(topic: string, clientId: string): void {
    this.#ask({ topic, clientId, backoff: new Backoff(this.#ports.backoff) });
  }

  /** Whether the frame answers one of these. */
  answered(frame: ServerFrame): boolean {
    const id = "request_id" in frame ? String(frame.request_id) : "";
    const left = this.#byRequest.get(id);
    if (left === undefined) return false;
    this.#byRequest.delete(id);
    if (frame.type === "error" && PASSING.some((code) => code === frame.error.code)) {
      this.#refused.add(left);
      this.#retries.set(id, left.backoff.next(), () => this.#ask(left));
      this.#ports.refused(left.topic, new PubSubError(frame.error.code, frame.error.message));
    } else if (this.#refused.delete(left) && !this.blocks(left.topic)) this.#ports.done(left.topic);
    return true;
  }

  /** The connection is lost, and all its subscriptions with it. */
  clear(): void {
    this.#retries.clearAll();
    this.#byRequest.clear();
    this.#refused.clear();
  }

  #ask(left: Left): void {
    const request_id = `unsubscribe ${++this.#asked}`;
    this.#byRequest.set(request_id, left);
    const { topic, clientId } = left;
    this.#ports.send(JSON.stringify({ type: "unsubscribe", topic, client_id: clientId, request_id }));
  }
}
