import type { Overflow, Position } from "../protocol/frames.ts";
import type { PubSubError } from "./errors.ts";
import type { Gap, TopicEvent } from "./items.ts";

/** Where a subscription is. `waiting`: it comes back with the connection, or with its topic. `ended` is for good. */
export type SubscriptionState = "subscribing" | "live" | "waiting" | "ended";

export type SubscribeOptions<T = unknown> = {
  /** Gets each event. Without it, events and gaps wait for whoever iterates over the subscription. */
  onEvent?: ((event: TopicEvent<T>) => unknown) | undefined;
  /** Gets each gap, in its place among the events. Only for use with `onEvent`. */
  onGap?: ((gap: Gap) => unknown) | undefined;
  onState?: ((state: SubscriptionState, cause: PubSubError | undefined) => unknown) | undefined;
  /** How many of the newest messages in history to begin with. Excludes `since`. */
  last?: number | undefined;
  /** Begin after this position; as a string it is `EPOCH:SEQ`. */
  since?: Position | string | undefined;
  /** What happens when too many events wait, at the server or here. Default `drop_oldest`. */
  overflow?: Overflow | undefined;
  /** How many events may wait at the server, 1 to its `MAX_SUBSCRIBER_QUEUE`, and how many here. Default: that, and 1000. */
  queue?: number | undefined;
  /** Fetch what is missing from history, and hand it out in its place. */
  repair?: boolean | undefined;
  /** Who the subscriber is, within the topic. Default: a random one. */
  clientId?: string | undefined;
  /** Ends the subscription. */
  signal?: AbortSignal | undefined;
};
