import type { AnswerCode } from "../protocol/codes.ts";
import type { EventFrame, ServerFrame } from "../protocol/frames.ts";
import { PubSubError } from "./errors.ts";
import type { ReceivedEvent, Resumable } from "./subscription.ts";
import { Timers } from "./timers.ts";

type Told = Exclude<ServerFrame, EventFrame>;
type TopicInfo = Extract<ServerFrame, { type: "info"; topic: string }>;

/** Codes that say: try again later. */
const PASSING: readonly AnswerCode[] = ["SHUTTING_DOWN", "UNAVAILABLE", "INTERNAL"];
/** Those that say so of a subscription that has been there before: the topic, or room for it, may come back after a restart. */
const PASSING_LATER: readonly AnswerCode[] = [...PASSING, "TOPIC_NOT_FOUND", "LIMIT_EXCEEDED"];

/** About how long until a subscription that was refused for now is asked for again, in milliseconds. */
const RETRY_MS = 1000;

const UNSUBSCRIBE = "unsubscribe";

/** The subscriptions of one client, one for each topic, on whatever connection there is. */
export class Subscriptions {
  readonly #send: (text: string) => void;
  readonly #failed: (cause: unknown) => void;
  readonly #byTopic = new Map<string, Resumable>();
  readonly #retries = new Timers<string>();

  /** @param send drops what it gets while there is no connection */
  constructor(send: (text: string) => void, failed: (cause: unknown) => void) {
    this.#send = send;
    this.#failed = failed;
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
    this.#request(subscription);
  }

  /** Its reader has ended it. */
  left(subscription: Resumable): void {
    const { topic, clientId } = subscription;
    if (this.#byTopic.get(topic) !== subscription) return;
    this.#byTopic.delete(topic);
    this.#retries.clear(topic);
    this.#send(JSON.stringify({ type: "unsubscribe", topic, client_id: clientId, request_id: UNSUBSCRIBE }));
  }

  opened(): void {
    for (const subscription of this.#byTopic.values()) this.#request(subscription);
  }

  lost(): void {
    this.#retries.clearAll();
    for (const subscription of this.#byTopic.values()) subscription.wait();
  }

  end(cause: PubSubError | undefined): void {
    this.#retries.clearAll();
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
    } else this.#answered(frame);
  }

  #told({ topic, ...info }: TopicInfo): void {
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
    const id = "request_id" in frame ? frame.request_id : undefined;
    const subscription = [...this.#byTopic.values()].find((one) => requestIdOf(one) === id);
    if (frame.type === "ack" && "replay" in frame) subscription?.subscribed(frame);
    if (frame.type !== "error" || id === UNSUBSCRIBE) return;
    const { code, message } = frame.error;
    const problem = new PubSubError(code, message);
    if (subscription === undefined) this.#failed(problem);
    else this.#refused(subscription, problem);
  }

  #refused(subscription: Resumable, problem: PubSubError): void {
    const { topic, hasBegun } = subscription;
    if (!(hasBegun ? PASSING_LATER : PASSING).some((code) => code === problem.code)) {
      return this.#end(subscription, problem);
    }
    subscription.wait(problem);
    this.#retries.set(topic, RETRY_MS * (0.5 + Math.random()), () => this.#request(subscription));
  }

  #lose(topic: string, code: "TOPIC_DELETED" | "REPLACED" | "REVOKED", message: string): void {
    const subscription = this.#byTopic.get(topic);
    if (subscription !== undefined) this.#end(subscription, new PubSubError(code, message));
  }

  /** What ends it is told to its user, one way or the other. */
  #end(subscription: Resumable, problem: PubSubError): void {
    this.#byTopic.delete(subscription.topic);
    this.#retries.clear(subscription.topic);
    subscription.end(problem);
    if (!subscription.isWatched) this.#failed(problem);
  }

  /** Asks for it, if there is a connection. If not, `opened` does. */
  #request(subscription: Resumable): void {
    this.#send(JSON.stringify({ ...subscription.request(), request_id: requestIdOf(subscription) }));
  }
}

function requestIdOf({ clientId }: Resumable): string {
  return `subscribe ${clientId}`;
}
