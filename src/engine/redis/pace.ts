import type { KnownTopic } from "./known-topic.ts";

/** How many messages of a topic are handed over in one turn of the event loop, so that sockets can take them in between. */
const MESSAGES_A_TURN = 32;

/** Spreads what the broker is handed over the turns of the event loop. */
export class Pace {
  readonly #soon: (work: () => void) => void;
  readonly #goOn: (topic: KnownTopic) => void;
  #turn = 0;
  #isNextTurnDue = false;
  /** Topics that have had their share of this turn. */
  readonly #inLine = new Set<KnownTopic>();

  /**
   * @param soon runs work in the next turn
   * @param goOn goes on with a topic that was told to wait
   */
  constructor(soon: (work: () => void) => void, goOn: (topic: KnownTopic) => void) {
    this.#soon = soon;
    this.#goOn = goOn;
  }

  /** Whether a topic may hand over more in this turn. If not, it goes on in the next. */
  mayGoOn(topic: KnownTopic): boolean {
    if (topic.turn !== this.#turn) [topic.turn, topic.handed] = [this.#turn, 0];
    const may = topic.handed < MESSAGES_A_TURN;
    if (!may) this.#inLine.add(topic);
    if (!this.#isNextTurnDue) {
      this.#isNextTurnDue = true;
      this.#soon(() => this.#begin());
    }
    return may;
  }

  /** So many messages were handed over. */
  note(topic: KnownTopic, messages: number): void {
    topic.handed += messages;
  }

  nextTurn(): Promise<void> {
    return new Promise((resolve) => this.#soon(resolve));
  }

  #begin(): void {
    this.#turn++;
    this.#isNextTurnDue = false;
    const waiting = [...this.#inLine];
    this.#inLine.clear();
    for (const topic of waiting) this.#goOn(topic);
  }
}
