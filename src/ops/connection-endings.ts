import { CLOSE } from "../protocol/codes.ts";

/** How a connection came to its end. */
export type Ending = { readonly side: "server" | "client"; readonly cause: string };

/** The ends that no close frame of the server is behind. */
export const ENDINGS = {
  /** The server dropped the connection, with what was unsent. */
  cutOff: { side: "server", cause: "cut off" },
  /** The runtime did: a frame was larger than `MAX_MESSAGE_BYTES`, or broke RFC 6455. */
  badFrame: { side: "server", cause: "bad frame" },
  closed: { side: "client", cause: "closed" },
  /** Without a close frame. */
  lost: { side: "client", cause: "lost" },
  /** The client of an event stream has closed its connection, or it was lost: nothing tells which. */
  hungUp: { side: "client", cause: "hung up" },
} as const satisfies Record<string, Ending>;

/** Every ending there is. */
export const ALL_ENDINGS: readonly Ending[] = [
  ...Object.values(CLOSE).map(({ reason }) => ({ side: "server", cause: reason }) as const),
  ...Object.values(ENDINGS),
];

/** The code that stands for a connection that ended without a close frame (RFC 6455 §7.1.5). */
const NO_CLOSE_FRAME = 1006;

/** How a WebSocket ended that the server has not closed. @param code what Bun's close handler is called with */
export function endingBy(code: number, reason: string): Ending {
  if (code !== NO_CLOSE_FRAME) return ENDINGS.closed;
  return reason === "" ? ENDINGS.lost : ENDINGS.badFrame;
}
