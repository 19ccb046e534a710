import type { Close } from "../protocol/codes.ts";
import type { Notice, Transport } from "../protocol/frames.ts";
import type { Dropped, EndReason, ResumeOutcome } from "../protocol/ledger.ts";

/** What a session sends in one go. */
export interface Batch {
  /** Sends events and notices through the peer, until about {@link BATCH_BYTES} went out or the peer blocks. */
  write(): void;
}

/**
 * How much one batch sends, in UTF-16 code units, and so how much may wait on a socket. The event that crosses it still
 * goes whole.
 */
export const BATCH_BYTES = 96 * 1024;

/**
 * One connected client, as the broker sees it. A transport implements it:
 *
 * - `blocked` MUST become true when sent bytes wait on the socket; after `send`, with the next event at the latest. The
 *   transport MUST call `Session.drained` once no bytes wait.
 * - What is sent during `batch` MUST leave in the order it was sent, in one system call if the socket takes it.
 * - The methods MUST NOT throw, even when the socket is already gone.
 */
export interface Peer {
  readonly blocked: boolean;
  readonly transport: Transport;
  /** The address that the client connects from, if known. */
  readonly address: string | undefined;
  /** The trace that its connection belongs to (W3C Trace Context), for the log. */
  readonly traceparent: string | undefined;
  /** When the client connected, in milliseconds since 1970 UTC. */
  readonly connectedAt: number;
  /**
   * Sends events of a topic, from `first` on, in one go: at most about {@link BATCH_BYTES}. `texts` are their frames.
   * All peers that are sent the same events get the same array.
   */
  send(texts: readonly string[], first: number): void;
  /** Calls `batch.write()` once and brings `blocked` up to date. */
  batch(batch: Batch): void;
  /** Sends event `seq` of a topic as part of a batch. */
  event(text: string, seq: number): void;
  /** Sends a frame that is no event, whether or not the peer is blocked. */
  notice(notice: Notice): void;
  /** Closes the connection, after everything that was sent. */
  close(close: Close): void;
}

/** What the broker counts. */
export interface BrokerMetrics {
  /** Events were handed to a subscriber's peer. */
  delivered(events: number): void;
  /** So many events more are to be sent: to each subscriber what was published, and replay. */
  due(events: number): void;
  /** Events were not sent, and will not be. */
  dropped(events: Dropped): void;
  /** A subscriber was told of a gap. */
  gapTold(): void;
  /** So many events of history are to be sent to a subscriber that asked for them. */
  replayed(events: number): void;
  /** A subscriber came back with a position. */
  resumed(outcome: ResumeOutcome): void;
  /** So many events wait for one subscriber, whose peer is blocked. */
  waiting(events: number): void;
}

/** A subscription, as the log names it. */
export type Subscriber = { readonly topicName: string; readonly clientId: string; readonly peer: Peer };

/** Is told what operators may want to know. */
export interface BrokerObserver {
  subscribed(subscriber: Subscriber): void;
  ended(subscriber: Subscriber, reason: EndReason): void;
  /** The queue is full, for the first time since the subscriber last caught up. */
  fellBehind(subscriber: Subscriber): void;
  /** @param dropped how many events it has lost since it subscribed */
  caughtUp(subscriber: Subscriber, dropped: number): void;
  /** History lost `events` to stay below `limit` bytes. */
  trimmed(events: number, limit: number): void;
  /** Sending to a peer threw. Its subscription is lagging, and its cursor stands before what was not sent. */
  fault(cause: unknown): void;
}

export type BrokerLimits = {
  /** Messages a topic keeps for replay. */
  maxHistory: number;
  /** Messages that may wait for one subscriber. */
  maxSubscriberQueue: number;
  maxSubscriptionsPerConnection: number;
  /** Bounds the history of all topics together. */
  historyMemoryBytes: number;
};

export type BrokerPorts = {
  /** Asks for a `flush()` soon, after `messages` were published to `subscribers`. One flush serves any number of calls. */
  wake(messages: number, subscribers: number): void;
  /** Called before the broker flushes by itself, in the middle of a publish. */
  flushing(): void;
  /** A subscription has ended, other than by a takeover or with its topic: its `client_id` is free. */
  left(topic: string, clientId: string): void;
  /** Runs `work` in the next turn of the event loop. */
  readonly soon: (work: () => void) => void;
  metrics: BrokerMetrics;
  observer: BrokerObserver;
};
