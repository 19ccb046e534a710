import type { Notice } from "../protocol/frames.ts";
import type { EndReason } from "../protocol/ledger.ts";

type Ending = {
  /** Whether the subscription is first sent what its peer takes at once. */
  readonly sends: boolean;
  /** Whether its client is told of the unsent events as a gap. */
  readonly tells: boolean;
  /** A notice that its client gets after that. */
  readonly notice?: (topic: string) => Notice;
};

/** Why a subscription ends, and what happens to its queued events. */
const ENDINGS: Readonly<Record<EndReason, Ending>> = {
  unsubscribed: { sends: true, tells: true },
  replaced: {
    sends: true,
    tells: true,
    notice: (topic) => ({ type: "info", msg: "subscription_replaced", topic }),
  },
  topic_deleted: { sends: true, tells: true, notice: (topic) => ({ type: "info", msg: "topic_deleted", topic }) },
  shutdown: {
    sends: true,
    tells: true,
    notice: (topic) => ({ type: "info", msg: "topic_deleted", topic, reason: "shutdown" }),
  },
  revoked: { sends: true, tells: true, notice: (topic) => ({ type: "info", msg: "subscription_revoked", topic }) },
  connection_closed: { sends: true, tells: true },
  // It is told of the gap now.
  too_slow: { sends: false, tells: true },
  // Its client is gone, or gets nothing more.
  disconnected: { sends: false, tells: false },
};

export function endingOf(reason: EndReason): Ending {
  return ENDINGS[reason];
}
