/** Where the answer of a request goes. */
export interface Answerer {
  answerText(text: string): void;
}

/** A request. It answers through `to`. It is settled when it returns, or when the promise that it returns is settled. */
export type Work = (to: Answerer) => void | Promise<void>;

/** A request under way. It holds back its answers until the requests before it are settled. */
class Slot implements Answerer {
  settled = false;
  #heldBack: string[] | undefined = [];
  readonly #to: Answerer;

  constructor(to: Answerer) {
    this.#to = to;
  }

  answerText(text: string): void {
    if (this.#heldBack === undefined) this.#to.answerText(text);
    else this.#heldBack.push(text);
  }

  /** Sends what was held back. Later answers go out at once. */
  release(): void {
    const texts = this.#heldBack ?? [];
    this.#heldBack = undefined;
    for (const text of texts) this.#to.answerText(text);
  }
}

/**
 * Keeps the answers of one connection in the order of its requests, however long an engine takes for each.
 *
 * Publishes may be under way together. Any other request waits until all before it are settled, and all after it wait
 * for it.
 */
export class RequestOrder {
  readonly #to: Answerer;
  readonly #settled: () => void;
  readonly #slots: Slot[] = [];
  readonly #waiting: { work: Work; isPublish: boolean }[] = [];
  /** Whether only publishes are under way. */
  #publishing = false;
  #starting = false;

  /** @param settled called when a request that returned a promise is settled */
  constructor(to: Answerer, settled: () => void) {
    this.#to = to;
    this.#settled = settled;
  }

  /** How many requests are under way or wait. */
  get size(): number {
    return this.#slots.length + this.#waiting.length;
  }

  /** Adds a request that is already under way. Nothing may be under way before it. `pending` must not reject. */
  track(pending: Promise<void>, isPublish: boolean): void {
    this.#publishing = isPublish;
    this.#await(this.#takeSlot(), pending);
  }

  /** Adds a request. @param work must not throw, nor reject */
  add(work: Work, isPublish: boolean): void {
    this.#waiting.push({ work, isPublish });
    this.#startSome();
  }

  #startSome(): void {
    if (this.#starting) return;
    this.#starting = true;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#slots.length > 0 && !(next.isPublish && this.#publishing)) break;
      this.#waiting.shift();
      this.#publishing = next.isPublish;
      const slot = this.#takeSlot();
      const pending = next.work(slot);
      if (pending instanceof Promise) this.#await(slot, pending);
      else this.#settle(slot);
    }
    this.#starting = false;
  }

  #takeSlot(): Slot {
    const slot = new Slot(this.#to);
    if (this.#slots.push(slot) === 1) slot.release();
    return slot;
  }

  #await(slot: Slot, pending: Promise<void>): void {
    void pending.then(() => {
      this.#settle(slot);
      this.#startSome();
      this.#settled();
    });
  }

  #settle(slot: Slot): void {
    slot.settled = true;
    while (this.#slots[0]?.settled === true) {
      this.#slots.shift();
      this.#slots[0]?.release();
    }
  }
}
