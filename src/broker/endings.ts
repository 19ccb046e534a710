import type { Notice } from "../protocol/frames.ts";

type Ending = {
  /** Whether it is sent what its peer takes at once. */
  readonly sends: boolean;
  /** Whether it is told what it was not sent, as a gap. */
  readonly tells: boolean;
  /** What its client is told after that. */
  readonly notice?: (topic: string) => Notice;
};

/** Why a subscription ends, and what becomes of what waits for it. */
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
  /** The server closes the connection for another reason. */
  "connection closed": { sends: true, tells: true },
  /** It would rather be disconnected than have the gap that it is told of now. */
  "too slow": { sends: false, tells: true },
  /** Its client is gone, or is sent nothing more. */
  gone: { sends: false, tells: false },
} as const satisfies Record<string, Ending>;

export type EndReason = keyof typeof ENDINGS;

export function endingOf(reason: EndReason): Ending {
  return ENDINGS[reason];
}
