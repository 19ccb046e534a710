import type { AnswerCode } from "../protocol/codes.ts";
import type { EventFrame, ServerFrame } from "../protocol/frames.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { Departures } from "./departures.ts";
import { PASSING, PubSubError } from "./errors.ts";
import type { ReceivedEvent, Resumable } from "./subscription.ts";
import { Timers } from "./timers.ts";

type Told = Exclude<ServerFrame, EventFrame>;
type TopicInfo = Extract<ServerFrame, { type: "info"; topic: string }>;

/** Codes that say: try again later, of a subscription that has been there before: the topic, or room for it, may come back after a restart. */
const PASSING_LATER: readonly AnswerCode[] = [...PASSING, "TOPIC_NOT_FOUND", "LIMIT_EXCEEDED"];

export type SubscriptionsPorts = {
  /** Drops what it gets while there is no connection. */
  send(text: string): void;
  /** How long to wait until what the server refused for now is asked for again. */
  backoff: BackoffOptions | undefined;
  failed(cause: unknown): void;
};

/** The subscriptions of one client, one for each topic, on whatever connection there is. */
export class Subscriptions {
  readonly #ports: SubscriptionsPorts;
  readonly #byTopic = new Map<string, Resumable>();
  /** Those that were asked for on this connection and not answered, by the id of the request. */
  readonly #asked = new Map<string, Resumable>();
  /** Waits of those that were refused for now, by topic. */
  readonly #backoffs = new Map<string, Backoff>();
  readonly #retries = new Timers<string>();
  readonly #departures: Departures;
  #requests = 0;
  #isOpen = false;

  constructor(ports: SubscriptionsPorts) {
    const { send, backoff } = ports;
    this.#ports = ports;
    this.#departures = new Departures({
      send,
      backoff,
      refused: (topic, problem) => this.#blocked(topic, problem),
      done: (topic) => this.#request(topic),
    });
  }

  /** @throws {PubSubError} `SUBSCRIBED` */
  add(subscription: Resumable): void {
    const { topic } = subscription;
    if (this.#byTopic.has(topic)) {
      const problem = new PubSubError("SUBSCRIBED", `'${topic}' is subscribed to already; share that subscription`);
      subscription.end(problem);
      throw problem;
    }
    this.#byTopic.set(topic, subscription);
    this.#request(topic);
  }

  /** Its reader has ended it. */
  left(subscription: Resumable): void {
    const { topic, clientId } = subscription;
    if (this.#byTopic.get(topic) !== subscription) return;
    this.#forget(topic);
    if (this.#isOpen) this.#departures.add(topic, clientId);
  }

  opened(): void {
    this.#isOpen = true;
    for (const topic of this.#byTopic.keys()) this.#request(topic);
  }

  lost(): void {
    this.#close();
    for (const subscription of this.#byTopic.values()) subscription.wait();
  }

  end(cause: PubSubError | undefined): void {
    this.#close();
    const all = [...this.#byTopic.values()];
    this.#byTopic.clear();
    for (const subscription of all) {
      if (cause === undefined) subscription.close();
      else subscription.end(cause);
    }
  }

  event(topic: string, event: ReceivedEvent): void {
    this.#byTopic.get(topic)?.event(event);
  }

  /** A frame that is no event and answers no publish. */
  received(frame: Told): void {
    if (frame.type === "info") {
      if ("topic" in frame) this.#told(frame);
    } else if (frame.type === "error" && "first_seq" in frame.error) {
      this.#byTopic.get(frame.topic ?? "")?.dropped(frame.error.last_seq);
    } else if (!this.#departures.answered(frame)) this.#answered(frame);
  }

  #told({ topic, ...info }: TopicInfo): void {
    if (info.msg === "epoch_changed") this.#byTopic.get(topic)?.epochChanged(info);
    // The connection is about to end with the server. The subscription goes on with the next one.
    if (info.msg === "topic_deleted" && info.reason === "shutdown") return;
    if (info.msg === "topic_deleted") this.#lose(topic, "TOPIC_DELETED", `Topic '${topic}' was deleted`);
    if (info.msg === "subscription_replaced") {
      this.#lose(topic, "REPLACED", `Another connection has taken over the subscription to '${topic}'`);
    }
    if (info.msg === "subscription_revoked") {
      this.#lose(topic, "REVOKED", `The credential does not allow '${topic}' any more`);
    }
  }

  #answered(frame: Told): void {
    const id = "request_id" in frame ? String(frame.request_id) : "";
    const subscription = this.#asked.get(id);
    this.#asked.delete(id);
    const problem = frame.type === "error" ? new PubSubError(frame.error.code, frame.error.message) : undefined;
    if (subscription === undefined) return void (problem !== undefined && this.#ports.failed(problem));
    // It may have ended meanwhile.
    if (this.#byTopic.get(subscription.topic) !== subscription) return;
    if (problem !== undefined) this.#refused(subscription, problem);
    if (frame.type !== "ack" || !("replay" in frame)) return;
    this.#backoffs.delete(subscription.topic);
    subscription.subscribed(frame);
  }

  #refused(subscription: Resumable, problem: PubSubError): void {
    const { topic, hasBegun } = subscription;
    if (!(hasBegun ? PASSING_LATER : PASSING).some((code) => code === problem.code)) {
      return this.#end(subscription, problem);
    }
    const backoff = this.#backoffs.get(topic) ?? new Backoff(this.#ports.backoff);
    this.#backoffs.set(topic, backoff);
    this.#retries.set(topic, backoff.next(), () => this.#request(topic));
    subscription.wait(problem);
  }

  /** The server still has one that was left. What was asked of the next one behind that does not count. */
  #blocked(topic: string, problem: PubSubError): void {
    const subscription = this.#byTopic.get(topic);
    if (subscription === undefined) return;
    for (const [id, asked] of this.#asked) if (asked === subscription) this.#asked.delete(id);
    this.#retries.clear(topic);
    subscription.wait(problem);
  }

  #lose(topic: string, code: "TOPIC_DELETED" | "REPLACED" | "REVOKED", message: string): void {
    const subscription = this.#byTopic.get(topic);
    if (subscription !== undefined) this.#end(subscription, new PubSubError(code, message));
  }

  /** What ends it is told to its user, one way or the other. */
  #end(subscription: Resumable, problem: PubSubError): void {
    this.#forget(subscription.topic);
    subscription.end(problem);
    if (!subscription.isWatched) this.#ports.failed(problem);
  }

  #forget(topic: string): void {
    this.#byTopic.delete(topic);
    this.#backoffs.delete(topic);
    this.#retries.clear(topic);
  }

  /** What was asked on the connection that there was will not be answered. */
  #close(): void {
    this.#isOpen = false;
    this.#asked.clear();
    this.#retries.clearAll();
    this.#departures.clear();
  }

  /** Asks for the subscription to a topic if that can be had now. If not, `opened` or the end of one before it does. */
  #request(topic: string): void {
    const subscription = this.#byTopic.get(topic);
    if (subscription === undefined || !this.#isOpen || this.#departures.blocks(topic)) return;
    const id = `subscribe ${++this.#requests}`;
    this.#asked.set(id, subscription);
    this.#ports.send(JSON.stringify({ ...subscription.request(), request_id: id }));
  }
}
