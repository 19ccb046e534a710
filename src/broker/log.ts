/**
 * The newest `capacity` events of a topic, numbered in the order of publishing.
 *
 * A number is never reused, so an overwritten event is reported as missing instead of quietly skipped.
 *
 * | append()      | constant; allocates nothing once the ring is full |
 * | at()          | constant |
 * | dropOldest()  | constant |
 *
 * @example
 * const log = new TopicLog(150);
 * log.append(text); // 1
 */
export class TopicLog {
  readonly #capacity: number;
  readonly #texts: string[] = [];
  readonly #sizes: number[] = [];
  #oldest: number;
  #newest: number;
  #bytes = 0;

  /**
   * @param capacity how many events are kept, 1 or more
   * @param newest the `seq` that the first event comes after
   */
  constructor(capacity: number, newest = 0) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot create TopicLog: capacity must be an integer of 1 or more, got ${capacity}`);
    }
    this.#capacity = capacity;
    this.#newest = newest;
    this.#oldest = newest + 1;
  }

  /** The `seq` of the event that was appended last. */
  get newest(): number {
    return this.#newest;
  }

  /** The `seq` of the oldest event still held; `newest + 1` when none is. */
  get oldest(): number {
    return this.#oldest;
  }

  /** What the held events take, in bytes of memory, as {@link sizeOf} reckons. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends an event, in place of the oldest when the ring is full, and returns its `seq`. */
  append(text: string): number {
    if (this.#newest - this.#oldest + 1 === this.#capacity) this.dropOldest();
    const size = sizeOf(text);
    const slot = this.#newest % this.#capacity;
    this.#texts[slot] = text;
    this.#sizes[slot] = size;
    this.#bytes += size;
    return ++this.#newest;
  }

  /** Goes on after `newest`, which is ahead of it: what it held belongs to no unbroken run of numbers any more. */
  skipTo(newest: number): void {
    while (this.#oldest <= this.#newest) this.dropOldest();
    this.#newest = newest;
    this.#oldest = newest + 1;
  }

  /** The event numbered `seq`, which must be held: `oldest` to `newest`. */
  at(seq: number): string {
    const text = this.#texts[(seq - 1) % this.#capacity];
    if (text === undefined || seq < this.#oldest || seq > this.#newest) {
      throw new RangeError(`Cannot read seq ${seq}: the log holds ${this.#oldest} to ${this.#newest}`);
    }
    return text;
  }

  /** Forgets the oldest event that is held, if any. */
  dropOldest(): void {
    if (this.#oldest > this.#newest) return;
    const slot = (this.#oldest - 1) % this.#capacity;
    this.#bytes -= this.#sizes[slot] ?? 0;
    this.#texts[slot] = "";
    this.#sizes[slot] = 0;
    this.#oldest++;
  }
}

/** What a string and its slot take besides its characters. */
const OVERHEAD_BYTES = 64;

/**
 * What an event takes in memory, never less than it really does: a string of one-byte characters takes a byte for
 * each, any other two. Only plain ASCII is told apart, since asking more would mean reading every character.
 */
export function sizeOf(text: string): number {
  const ascii = Buffer.byteLength(text) === text.length;
  return OVERHEAD_BYTES + (ascii ? text.length : 2 * text.length);
}
