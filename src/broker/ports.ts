import type { Close } from "../protocol/codes.ts";
import type { Notice } from "../protocol/frames.ts";
import type { EndReason } from "./endings.ts";

/** The ways in which a peer can be connected. */
export const TRANSPORTS = ["websocket", "sse"] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** What is to be sent in one go. */
export interface Batch {
  /** Sends events and notices through the peer, until about {@link BATCH_BYTES} went out or the peer blocks. */
  write(): void;
}

/**
 * How much one batch sends, in UTF-16 code units, and so what may wait on a socket; the event that crosses it still goes
 * whole.
 */
export const BATCH_BYTES = 96 * 1024;

/**
 * One connected client, as the broker sees it. A transport implements it:
 *
 * - `blocked` MUST turn true when the socket leaves sent bytes waiting, after `send` at the latest with the next event. The
 *   transport MUST call `Session.drained` once none wait any more.
 * - What is sent during `batch` MUST leave in the order it was sent, in one system call where the socket takes it.
 * - Nothing here MUST throw, also when the socket is gone already.
 */
export interface Peer {
  readonly blocked: boolean;
  readonly transport: Transport;
  /** Where the client connects from, as far as it is known. */
  readonly address: string | undefined;
  /** When the client connected, in milliseconds since 1970 UTC. */
  readonly connectedAt: number;
  /**
   * Sends the events of a topic from `first` on, about {@link BATCH_BYTES} of them at the most, in one go. `texts` are their
   * frames. All who are sent the same events are handed the very same array.
   */
  send(texts: readonly string[], first: number): void;
  /** Calls `batch.write()` once and brings `blocked` up to date. */
  batch(batch: Batch): void;
  /** Sends event `seq` of a topic as part of a batch. */
  event(text: string, seq: number): void;
  /** Sends a frame that is no event, whether or not the peer is blocked. */
  notice(notice: Notice): void;
  /** Closes the connection, after what was sent already. */
  close(close: Close): void;
}

/** What the broker counts. */
export interface BrokerMetrics {
  published(messages: number): void;
  /** Events were handed to a subscriber's peer. */
  delivered(events: number): void;
  /** Events were lost to a subscriber that was too slow for them. */
  dropped(events: number): void;
}

/** A subscription, as the log names it. */
export type Subscriber = { readonly topicName: string; readonly clientId: string; readonly peer: Peer };

/** Told of what whoever is on call may want to know. */
export interface BrokerObserver {
  subscribed(subscriber: Subscriber): void;
  ended(subscriber: Subscriber, reason: EndReason): void;
  /** Its queue is full, for the first time since it was last caught up. */
  fellBehind(subscriber: Subscriber): void;
  /** @param dropped what it has lost in all since it subscribed */
  caughtUp(subscriber: Subscriber, dropped: number): void;
  /** History was cut: `events` went for want of memory, to stay below `limit` bytes. */
  trimmed(events: number, limit: number): void;
  /** Something threw while a peer was sent events. It was sent none of them, and stays lagging. */
  fault(cause: unknown): void;
}
