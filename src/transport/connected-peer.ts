import type { Grant } from "../auth/permissions.ts";
import type { Peer } from "../broker/ports.ts";
import type { Session } from "../broker/session.ts";
import type { Fields } from "../ops/logger.ts";
import type { Ending } from "../ops/connection-endings.ts";
import { traceFacts } from "../protocol/trace.ts";
import type { HeartbeatPeer } from "./heartbeat.ts";

/** A client's connection, whatever its transport. */
export interface ConnectedPeer extends Peer, HeartbeatPeer {
  readonly session: Session;
  /** What its credential allows. Undefined where none is asked for, or none was shown yet. */
  grant: Grant | undefined;
  /** Whether the kernel has taken everything that was sent. If not, the peer is blocked from now on. */
  readonly sentAll: boolean;
  /** What waits in this process until the kernel takes it, in bytes. */
  readonly unsentBytes: number;
  /** How the connection came to its end, once it has, if that is known. One that is being closed has its close code. */
  readonly ending: Ending | undefined;
  /** Blocks it, until {@link drained} is called. */
  hold(): void;
  /** Goes on, if the kernel has taken everything. */
  drained(): void;
  /** Completes the close, whatever the client has read. */
  finish(): void;
  /** Drops the connection, with everything that is unsent. */
  cut(): void;
}

/** Has a peer go by a credential from now on. */
export function authorize(peer: ConnectedPeer, grant: Grant | undefined): void {
  peer.grant = grant;
  peer.session.owner = grant?.owner;
}

/** Who a client is, for the log. */
export function factsOf({ transport, address, traceparent, session }: ConnectedPeer): Fields {
  const { first } = session;
  const subscriber = first && { topic: first.topicName, client_id: first.clientId };
  return { transport, address, ...traceFacts(traceparent), ...subscriber };
}
