import type { Close } from "../protocol/codes.ts";
import type { Notice } from "../protocol/encode.ts";

/** The ways in which a client can be connected. */
export const TRANSPORTS = ["websocket", "sse"] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** What is to be sent in one go. */
export interface Batch {
  /** Sends through the outlet that it was handed to, until about {@link BATCH_BYTES} went out or the outlet blocks. */
  write(): void;
}

/**
 * How much one batch sends, in UTF-16 code units, and so what may wait on a socket; the event that crosses it still goes whole.
 *
 * Of 4 KiB events, 32 under way to 900 subscribers, a delivery takes 1.40 µs; with batches of 64 KiB it takes 1.58, of 32 KiB
 * 1.92, and of 128 KiB no less, while more waits for a stalled client.
 */
export const BATCH_BYTES = 96 * 1024;

/** What the broker counts, for whoever watches over it. */
export interface BrokerMetrics {
  published(messages: number): void;
  /** Events were handed to a subscriber's outlet. */
  delivered(events: number): void;
  /** A subscriber was told of events that it was too slow for, or would not hear of them. */
  dropped(events: number): void;
}

/** Why a subscription ended. */
export type Ended = "unsubscribed" | "taken over" | "topic deleted" | "too slow" | "disconnected" | "shutdown";

/** A subscription, as the log names it. */
export type Subscriber = { readonly topic: string; readonly clientId: string; readonly outlet: Outlet };

/** Told of what whoever is on call may want to know. */
export interface BrokerObserver {
  subscribed(subscriber: Subscriber): void;
  ended(subscriber: Subscriber, reason: Ended): void;
  /** Its queue is full, for the first time since it was last caught up. */
  fellBehind(subscriber: Subscriber): void;
  /** @param dropped what it has lost in all since it subscribed */
  caughtUp(subscriber: Subscriber, dropped: number): void;
  /** @param events how many went for want of memory @param limit bytes of history */
  trimmed(events: number, limit: number): void;
}

/**
 * One client's connection, as the broker sees it. A transport fulfils it and owes this:
 *
 * - `blocked` turns true when the socket leaves sent bytes waiting, after a burst at the latest with the next event, and
 *   the transport calls `Connection.drained` once none wait any more;
 * - everything sent during `batch` leaves in the order it was sent, in one system call where the socket takes it;
 * - nothing here throws, also when the socket is gone already.
 */
export interface Outlet {
  readonly blocked: boolean;
  readonly transport: Transport;
  /** Where the client connects from, as far as it is known. */
  readonly address: string | undefined;
  /** When the client connected, in milliseconds since 1970 UTC. */
  readonly connectedAt: number;
  /** Calls `batch.write()` once and brings `blocked` up to date. */
  batch(batch: Batch): void;
  /** Sends event `seq` of a topic, as part of a batch or by itself; `text` is its frame. */
  event(text: string, seq: number): void;
  /**
   * Sends the events of a topic from `first` on, about {@link BATCH_BYTES} of them at the most, as a batch of their own.
   * Every subscriber that a flush hands the same events to is handed the very same array.
   */
  burst(texts: readonly string[], first: number): void;
  /** Makes a crowd of the outlets in the way that suits its own kind best, or undefined where not all are of that kind. */
  crowd?(outlets: readonly Outlet[]): Crowd | undefined;
  /** Sends a frame that is no event. It goes out whether or not the outlet is blocked. */
  notice(notice: Notice): void;
  /** Closes the connection, after what was sent already. */
  close(close: Close): void;
}

/** Outlets that are handed the same bursts. */
export interface Crowd {
  /** Nothing that a crowd has: it tells it from an outlet. */
  readonly blocked?: undefined;
  /**
   * Does what `Outlet.burst` does with each that is not blocked, one after the other, and returns with how many.
   *
   * Each time in the opposite order: whom the kernel dealt with last comes first then, while the processor still has them in
   * its cache, and nobody is always last. To each of 1000 one event takes 2 to 4 % less CPU for it, and where 32 are under way
   * up to 15 %.
   *
   * @param passOver told of each that is blocked, and of those that an exception keeps from being handed the burst
   */
  burst(texts: readonly string[], first: number, passOver: (outlet: Outlet) => void): number;
}
