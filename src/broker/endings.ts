import type { Notice } from "../protocol/frames.ts";

type Ending = {
  /** Whether the subscription is first sent what its peer takes at once. */
  readonly sends: boolean;
  /** Whether its client is told of the unsent events as a gap. */
  readonly tells: boolean;
  /** A notice that its client gets after that. */
  readonly notice?: (topic: string) => Notice;
};

/** Why a subscription ends, and what happens to its queued events. */
export const ENDINGS = {
  unsubscribed: { sends: true, tells: true },
  replaced: {
    sends: true,
    tells: true,
    notice: (topic) => ({ type: "info", msg: "subscription_replaced", topic }),
  },
  "topic deleted": { sends: true, tells: true, notice: (topic) => ({ type: "info", msg: "topic_deleted", topic }) },
  shutdown: {
    sends: true,
    tells: true,
    notice: (topic) => ({ type: "info", msg: "topic_deleted", topic, reason: "shutdown" }),
  },
  revoked: { sends: true, tells: true, notice: (topic) => ({ type: "info", msg: "subscription_revoked", topic }) },
  /** The server closes the connection for another reason. */
  "connection closed": { sends: true, tells: true },
  /** It asked to be disconnected instead of losing events. It is told of the gap now. */
  "too slow": { sends: false, tells: true },
  /** Its client is gone, or gets nothing more. */
  gone: { sends: false, tells: false },
} as const satisfies Record<string, Ending>;

export type EndReason = keyof typeof ENDINGS;

export function endingOf(reason: EndReason): Ending {
  return ENDINGS[reason];
}
