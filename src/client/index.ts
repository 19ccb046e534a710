import { Client, type ConnectOptions, type Topics } from "./client.ts";

/**
 * Connects to a server. Returns at once: what is asked for before there is a connection is asked when there is one.
 *
 * @param url where the server is, such as `http://localhost:8000` or `wss://example.com/ws`
 * @throws {TypeError} if that is no such address, or there is no WebSocket here
 *
 * @example
 * const client = connect<{ orders: { amount: number } }>("http://localhost:8000");
 * client.subscribe("orders", {
 *   last: 10,
 *   onEvent: ({ payload }) => console.log(payload.amount),
 *   onGap: ({ first_seq, last_seq }) => console.log(`${first_seq} to ${last_seq} are missing`),
 * });
 * await client.publish("orders", { amount: 12.5 });
 */
export function connect<T extends object = Topics>(url: string, options: ConnectOptions = {}): Client<T> {
  return new Client<T>(url, options);
}

export { PubSubError, type ClientErrorCode } from "./errors.ts";
export type { TokenSource } from "./authentication.ts";
export type { BackoffOptions } from "./backoff.ts";
export type { Client, ConnectOptions, PublishOptions, Topics } from "./client.ts";
export type { ConnectionState } from "./connection.ts";
export type { HistoryOptions, HistoryPage } from "./history.ts";
export type { Gap, GapReason, Item, TopicEvent } from "./items.ts";
export type { Published } from "./outbox.ts";
export type { Socket } from "./socket.ts";
export type { SubscribeOptions, SubscriptionState } from "./subscribe-options.ts";
export type { Subscription } from "./subscription.ts";
export type { Overflow, Position } from "../protocol/frames.ts";
