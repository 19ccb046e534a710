/** What was sent to each of a group since they were last asked what they have read, in UTF-16 code units. */
export type Meter = { sent: number };

/**
 * What one client has said that it has read. Behind every so much that is sent to it goes a ping; while that before it is
 * unanswered, nothing more is sent. So there is never more before an answer to the client than it has time to read, whatever the
 * kernels in between would take.
 *
 * A client that has never answered a ping is not held to this.
 */
export class Receipts {
  /** Of the group that it is in, or was in last. */
  meter: Meter | undefined;
  /** Whether nothing more may be sent to it until it has answered. */
  behind = false;
  readonly #window: number;
  #sent = 0;
  #waiting = false;
  #answers = false;

  /** @param window how much is sent between two receipts, in UTF-16 code units */
  constructor(window: number) {
    this.#window = window;
  }

  /** Takes note of what was sent to it alone. Returns whether a receipt is due. */
  count(length: number): boolean {
    this.#sent += length;
    return this.#sent >= this.#window;
  }

  /** To be called when a receipt is due. Returns whether to ask for it. */
  due(): boolean {
    this.#sent = 0;
    if (this.#waiting) {
      this.behind = this.#answers;
      return false;
    }
    this.#waiting = true;
    return true;
  }

  /** To be called when the client has answered. */
  answered(): void {
    this.#waiting = false;
    this.#answers = true;
    this.behind = false;
  }
}
