/** The payload of the ping behind the last frame. Its pong (RFC 6455 §5.5.3) says that everything before it was read. */
export const RECEIPT = "read so far";

/** The same between events: its pong says that those before it were read. */
export const PASSED = "passed";

/**
 * How far one client has said that it has read. A ping follows each portion of what it is sent. If the ping before is
 * still unanswered then, nothing more is sent. So the client can read all that is on its way in good time, however much
 * the kernels in between would take.
 *
 * A client that has never answered a ping is not held to this.
 */
export class Receipts {
  /** Whether nothing more may be sent until the client has answered. */
  behind = false;
  #waiting = false;
  #answers = false;

  /** Call when a receipt is due. Returns whether to ask for it. */
  due(): boolean {
    if (this.#waiting) {
      this.behind = this.#answers;
      return false;
    }
    this.#waiting = true;
    return true;
  }

  /** Call when the client has answered. Returns whether it was behind. */
  answered(): boolean {
    const wasBehind = this.behind;
    this.#waiting = false;
    this.#answers = true;
    this.behind = false;
    return wasBehind;
  }
}
