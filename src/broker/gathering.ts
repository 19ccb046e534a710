/** To take in a message takes about as long as to send to three subscribers: one for each sixteen delays a flush by a fifth. */
const SUBSCRIBERS_PER_MESSAGE = 16;

/**
 * Decides whether the next flush is put off while publishers are still writing: that spares it a send to each subscriber
 * of a topic for every message that joins another.
 *
 * It pays where a topic has many subscribers, and ends with the first turn of the event loop that brings no message.
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
