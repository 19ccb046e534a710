import type { Peer } from "../broker/ports.ts";
import type { Session } from "../broker/session.ts";
import type { Fields } from "../ops/logger.ts";
import type { HeartbeatPeer } from "./heartbeat.ts";

/** A client's connection, as all transports have it. */
export interface ConnectedPeer extends Peer, HeartbeatPeer {
  readonly session: Session;
  /** Whether the kernel has taken everything that was sent; it is blocked from now on if not. */
  readonly sentAll: boolean;
  /** What waits in this process until the kernel takes it, in bytes. */
  readonly unsentBytes: number;
  /** Ends the connection as it was told to close, whatever the client has read. */
  finish(): void;
  /** Drops the connection, and what is unsent with it. */
  cut(): void;
}

/** Who a client is, for the log. */
export function factsOf({ transport, address, session }: ConnectedPeer): Fields {
  const { first } = session;
  return { transport, address, ...(first && { topic: first.topicName, client_id: first.clientId }) };
}
