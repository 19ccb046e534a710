/**
 * How far one client has said that it has read. Behind every so much that it is sent goes a ping; while the one before is
 * unanswered, nothing more is sent. So there is never more on its way to the client than it can read in good time,
 * whatever the kernels in between would take.
 *
 * A client that has never answered a ping is not held to this.
 */
export class Receipts {
  /** Whether nothing more may be sent until the client has answered. */
  behind = false;
  #waiting = false;
  #answers = false;

  /** To be called when a receipt is due. Returns whether to ask for it. */
  due(): boolean {
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
