import type { Transport } from "../../src/protocol/frames.ts";
import type { Close } from "../../src/protocol/codes.ts";
import type { Ending } from "./subscriber.ts";

/** How a subscriber that the server closes comes to its end: an event stream has no words for why. */
export function goodbye(transport: Transport, { code, reason }: Close): Ending {
  return transport === "websocket" ? { how: "closed", code, reason } : { how: "ended" };
}
